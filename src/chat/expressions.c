/* expressions.c — the expressions of a template, by the grammar of Jinja's parser. */
#include "lexer.h"
#include "parser.h"

#include <string.h>

static Node *parse_unary(Parser *, bool with_filters);
static Node *parse_primary(Parser *);
static Node *parse_postfix(Parser *, Node *);

static Node *binary(Parser *parser, NodeKind kind, Operator operator, Node *first, Node *second) {
    Node *node = parser_node(parser, kind);
    node->operator = operator;
    node->first = first;
    node->second = second;
    return node;
}

static Node *constant(Parser *parser, Value value) {
    Node *node = parser_node(parser, NODE_CONSTANT);
    node->value = value;
    return node;
}

/* --- operators, from the weakest to the strongest --- */

typedef struct Symbol {
    const char *text;
    Operator operator;
} Symbol;

/* The operator at work, from a table that ends with NULL; 0 if there is none. */
static Operator take_operator(Parser *parser, const Symbol *symbol) {
    for (; symbol->text; symbol++)
        if (parser_take(parser, symbol->text)) return symbol->operator;
    return 0;
}

static Node *parse_pow(Parser *parser) {
    Node *left = parse_unary(parser, true);
    while (parser_take(parser, "**"))
        left = binary(parser, NODE_ARITHMETIC, POWER, left, parse_unary(parser, true));
    return left;
}

static Node *parse_product(Parser *parser) {
    static const Symbol symbols[] = {
        {"*", MULTIPLY}, {"/", DIVIDE}, {"//", FLOOR_DIVIDE}, {"%", MODULO}, {NULL, 0}};
    Node *left = parse_pow(parser);
    for (Operator operator; (operator = take_operator(parser, symbols));)
        left = binary(parser, NODE_ARITHMETIC, operator, left, parse_pow(parser));
    return left;
}

static Node *parse_concatenation(Parser *parser) {
    Node *first = parse_product(parser);
    if (!parser_at(parser, "~")) return first;
    Node *node = parser_node(parser, NODE_CONCATENATION);
    NodeList list = {.end = &node->first};
    parser_add(&list, first);
    while (parser_take(parser, "~"))
        parser_add(&list, parse_product(parser));
    return node;
}

static Node *parse_sum(Parser *parser) {
    static const Symbol symbols[] = {{"+", ADD}, {"-", SUBTRACT}, {NULL, 0}};
    Node *left = parse_concatenation(parser);
    for (Operator operator; (operator = take_operator(parser, symbols));)
        left = binary(parser, NODE_ARITHMETIC, operator, left, parse_concatenation(parser));
    return left;
}

static Operator take_relation(Parser *parser) {
    static const Symbol symbols[] = {{"==", EQUAL},      {"!=", NOT_EQUAL}, {"<", LESS},
                                     {"<=", LESS_EQUAL}, {">", GREATER},    {">=", GREATER_EQUAL},
                                     {"in", IN},         {NULL, 0}};
    const Token *next = parser->token + 1;
    if (parser_at(parser, "not") && next->kind == TOKEN_NAME && jinja_text_is(next->text, "in")) {
        parser->token += 2;
        return NOT_IN;
    }
    return take_operator(parser, symbols);
}

static Node *parse_comparison(Parser *parser) {
    Node *first = parse_sum(parser);
    Operator operator = take_relation(parser);
    if (!operator) return first;
    Node *node = binary(parser, NODE_COMPARISON, 0, first, NULL);
    NodeList list = {.end = &node->second};
    for (; operator; operator = take_relation(parser))
        parser_add(&list, binary(parser, NODE_RELATION, operator, parse_sum(parser), NULL));
    return node;
}

static Node *parse_not(Parser *parser) {
    unsigned negations = 0;
    while (parser_take(parser, "not"))
        negations++;
    Node *node = parse_comparison(parser);
    for (; negations > 0; negations -= negations > 2 ? 2 : 1)
        node = binary(parser, NODE_NOT, 0, node, NULL);
    return node;
}

static Node *parse_and(Parser *parser) {
    Node *left = parse_not(parser);
    while (parser_take(parser, "and"))
        left = binary(parser, NODE_AND, 0, left, parse_not(parser));
    return left;
}

static Node *parse_or(Parser *parser) {
    Node *left = parse_and(parser);
    while (parser_take(parser, "or"))
        left = binary(parser, NODE_OR, 0, left, parse_and(parser));
    return left;
}

static Node *parse_choice(Parser *parser) {
    Node *node = parse_or(parser);
    while (parser_take(parser, "if")) {
        Node *condition = parse_or(parser);
        node = binary(parser, NODE_CHOICE, 0, condition, node);
        if (parser_take(parser, "else")) node->third = parse_expression(parser, true);
    }
    return node;
}

Node *parse_expression(Parser *parser, bool with_choice) {
    parser_nest(parser);
    Node *node = with_choice ? parse_choice(parser) : parse_or(parser);
    parser_unnest(parser);
    return node;
}

/* --- filters and tests --- */

/* The arguments of a call, from its "(" on. */
static Node *parse_arguments(Parser *parser) {
    NodeList list = {0};
    list.end = &list.first;
    int last = 0; /* the kinds come in this order: 0 plain, 1 *, 2 keyword, 3 ** */
    parser_expect(parser, "(");
    while (!parser_take(parser, ")")) {
        if (list.first) {
            parser_expect(parser, ",");
            if (parser_take(parser, ")")) break;
        }
        Node *argument = parser_node(parser, NODE_ARGUMENT);
        argument->spread = parser_take(parser, "*") ? 1 : parser_take(parser, "**") ? 2 : 0;
        const Token *next = parser->token + 1;
        bool keyword = parser->token->kind == TOKEN_NAME && next->kind == TOKEN_OPERATOR &&
                       jinja_text_is(next->text, "=");
        if (keyword && !argument->spread) {
            argument->value = jinja_from_text(parser->jinja, parser_expect_name(parser));
            parser->token++;
        }
        int kind = argument->spread == 2 ? 3 : keyword ? 2 : argument->spread;
        if (kind < last || (kind == last && argument->spread))
            jinja_fail(parser->jinja, "the arguments of this call are in an order that Jinja does "
                                      "not take");
        last = kind;
        argument->first = parse_expression(parser, true);
        parser_add(&list, argument);
    }
    return list.first;
}

/* One that is not there, which is only wrong if it is called. */
static const Builtin *unknown_builtin(Parser *parser, Text name) {
    char *copy = jinja_allocate(parser->jinja, name.size + 1);
    Builtin *builtin = jinja_allocate(parser->jinja, sizeof *builtin);
    memcpy(copy, name.bytes, name.size);
    builtin->name = copy;
    return builtin;
}

static const Builtin *expect_builtin(Parser *parser, const Builtin *(*find)(Text),
                                     const char *kind) {
    unsigned line = parser->token->line;
    Text name = parser_expect_name(parser);
    const Builtin *builtin = find(name);
    parser->jinja->line = line;
    if (!builtin && parser->guarded) return unknown_builtin(parser, name);
    if (!builtin)
        jinja_fail(parser->jinja, "the %s \"%.*s\" is not supported", kind, TEXT_ARGUMENTS(name));
    return builtin;
}

Node *parse_filters(Parser *parser, Node *value, bool starts_with_name) {
    while (starts_with_name || parser_take(parser, "|")) {
        starts_with_name = false;
        Node *node = binary(parser, NODE_FILTER, 0, value, NULL);
        node->builtin = expect_builtin(parser, jinja_find_filter, "filter");
        if (parser_at(parser, "(")) node->second = parse_arguments(parser);
        value = node;
    }
    return value;
}

static bool begins_argument(const Parser *parser) {
    switch (parser->token->kind) {
    case TOKEN_NAME:
        return !parser_at(parser, "else") && !parser_at(parser, "or") && !parser_at(parser, "and");
    case TOKEN_TEXT:
    case TOKEN_INTEGER:
    case TOKEN_FLOAT:
        return true;
    default:
        return parser_at(parser, "[") || parser_at(parser, "{");
    }
}

static Node *parse_test(Parser *parser, Node *value) {
    bool negated = parser_take(parser, "not");
    Node *node = binary(parser, NODE_TEST, 0, value, NULL);
    node->builtin = expect_builtin(parser, jinja_find_test, "test");
    if (parser_at(parser, "("))
        node->second = parse_arguments(parser);
    else if (begins_argument(parser)) {
        if (parser_at(parser, "is")) jinja_fail(parser->jinja, "tests with \"is\" do not chain");
        node->second = parser_node(parser, NODE_ARGUMENT);
        node->second->first = parse_postfix(parser, parse_primary(parser));
    }
    return negated ? binary(parser, NODE_NOT, 0, node, NULL) : node;
}

static Node *parse_call(Parser *parser, Node *callee) {
    Node *node = binary(parser, NODE_CALL, 0, callee, NULL);
    node->second = parse_arguments(parser);
    return node;
}

static Node *parse_filters_and_tests(Parser *parser, Node *node) {
    for (;;) {
        if (parser_at(parser, "|"))
            node = parse_filters(parser, node, false);
        else if (parser_take(parser, "is"))
            node = parse_test(parser, node);
        else if (parser_at(parser, "("))
            node = parse_call(parser, node);
        else
            return node;
    }
}

static Node *parse_unary(Parser *parser, bool with_filters) {
    bool negative = parser_take(parser, "-"), positive = !negative && parser_take(parser, "+");
    Node *node;
    if (negative || positive) {
        parser_nest(parser);
        NodeKind kind = negative ? NODE_NEGATIVE : NODE_POSITIVE;
        node = binary(parser, kind, 0, parse_unary(parser, false), NULL);
        parser_unnest(parser);
    } else
        node = parse_postfix(parser, parse_primary(parser));
    return with_filters ? parse_filters_and_tests(parser, node) : node;
}

/* --- attributes, items, calls --- */

static Node *parse_bound(Parser *parser) {
    bool empty = parser_at(parser, ":") || parser_at(parser, "]") || parser_at(parser, ",");
    return empty ? NULL : parse_expression(parser, true);
}

static Node *parse_brackets(Parser *parser, Node *value) {
    Node *node = binary(parser, NODE_ITEM, 0, value, parse_bound(parser));
    if (parser_take(parser, ":")) {
        node->kind = NODE_SLICE;
        node->third = parse_bound(parser);
        if (parser_take(parser, ":")) node->fourth = parse_bound(parser);
    } else if (!node->second)
        parser_unexpected(parser, "an index");
    parser_expect(parser, "]");
    return node;
}

static Node *parse_attribute(Parser *parser, Node *value) {
    if (parser->token->kind == TOKEN_INTEGER)
        return binary(parser, NODE_ITEM, 0, value, parse_primary(parser));
    Node *node = binary(parser, NODE_ATTRIBUTE, 0, value, NULL);
    node->value = jinja_from_text(parser->jinja, parser_expect_name(parser));
    return node;
}

static Node *parse_postfix(Parser *parser, Node *node) {
    for (;;) {
        if (parser_take(parser, "."))
            node = parse_attribute(parser, node);
        else if (parser_take(parser, "["))
            node = parse_brackets(parser, node);
        else if (parser_at(parser, "("))
            node = parse_call(parser, node);
        else
            return node;
    }
}

/* --- literals and names --- */

/* varargs, kwargs and caller exist in macros that name them. */
static void note_name(Parser *parser, Text name) {
    for (MacroScope *scope = parser->macros; scope; scope = scope->outer) {
        Signature *signature = scope->signature;
        signature->takes_rest |= jinja_text_is(name, "varargs");
        signature->takes_named |= jinja_text_is(name, "kwargs");
        signature->takes_caller |= jinja_text_is(name, "caller");
    }
}

static Node *parse_name(Parser *parser) {
    Text name = parser_expect_name(parser);
    if (jinja_text_is(name, "true") || jinja_text_is(name, "True"))
        return constant(parser, jinja_boolean(true));
    if (jinja_text_is(name, "false") || jinja_text_is(name, "False"))
        return constant(parser, jinja_boolean(false));
    if (jinja_text_is(name, "none") || jinja_text_is(name, "None"))
        return constant(parser, jinja_none());
    note_name(parser, name);
    Node *node = parser_node(parser, NODE_NAME);
    node->value = jinja_from_text(parser->jinja, name);
    return node;
}

/* Adjacent texts are one. */
static Node *parse_text(Parser *parser) {
    Text text = parser->token->text;
    for (parser->token++; parser->token->kind == TOKEN_TEXT; parser->token++)
        text = jinja_concatenate(parser->jinja, text, parser->token->text);
    return constant(parser, jinja_from_text(parser->jinja, text));
}

static Node *parse_list(Parser *parser) {
    Node *node = parser_node(parser, NODE_LIST);
    NodeList list = {.end = &node->first};
    while (!parser_take(parser, "]")) {
        if (node->first) {
            parser_expect(parser, ",");
            if (parser_take(parser, "]")) break;
        }
        parser_add(&list, parse_expression(parser, true));
    }
    return node;
}

static Node *parse_mapping(Parser *parser) {
    Node *node = parser_node(parser, NODE_MAPPING);
    NodeList list = {.end = &node->first};
    while (!parser_take(parser, "}")) {
        if (node->first) {
            parser_expect(parser, ",");
            if (parser_take(parser, "}")) break;
        }
        Node *key = parse_expression(parser, true);
        parser_expect(parser, ":");
        parser_add(&list, binary(parser, NODE_PAIR, 0, key, parse_expression(parser, true)));
    }
    return node;
}

static Node *parse_primary(Parser *parser) {
    switch (parser->token->kind) {
    case TOKEN_NAME:
        return parse_name(parser);
    case TOKEN_TEXT:
        return parse_text(parser);
    case TOKEN_INTEGER:
    case TOKEN_FLOAT:
        return constant(parser, parser->token++->number);
    default:
        break;
    }
    if (parser_take(parser, "(")) {
        Node *node = parse_tuple(parser, true, true, NULL);
        parser_expect(parser, ")");
        return node;
    }
    if (parser_take(parser, "[")) return parse_list(parser);
    if (parser_take(parser, "{")) return parse_mapping(parser);
    parser_unexpected(parser, "an expression");
}

/* --- tuples and targets --- */

static bool at_tuple_end(const Parser *parser, const char *end) {
    TokenKind kind = parser->token->kind;
    return kind == TOKEN_VARIABLE_END || kind == TOKEN_BLOCK_END || parser_at(parser, ")") ||
           (end && parser_at(parser, end));
}

/* Items by `parse_item`, with commas between; one without a comma is not a tuple. */
static Node *parse_items(Parser *parser, Node *(*parse_item)(Parser *, bool), bool choice,
                         bool in_parentheses, const char *end) {
    Node *node = parser_node(parser, NODE_TUPLE);
    NodeList list = {.end = &node->first};
    bool comma = false;
    while (!at_tuple_end(parser, end)) {
        parser_add(&list, parse_item(parser, choice));
        if (!parser_take(parser, ",")) break;
        comma = true;
    }
    if (!node->first && !in_parentheses) parser_unexpected(parser, "an expression");
    return node->first && !comma ? node->first : node;
}

Node *parse_tuple(Parser *parser, bool with_choice, bool in_parentheses, const char *end) {
    return parse_items(parser, parse_expression, with_choice, in_parentheses, end);
}

static Node *parse_target_item(Parser *parser, bool with_fields) {
    bool name = parser->token->kind == TOKEN_NAME;
    Node *node = parse_primary(parser);
    if (!with_fields || !name || !parser_take(parser, ".")) return node;
    Node *field = binary(parser, NODE_FIELD, 0, node, NULL);
    field->value = jinja_from_text(parser->jinja, parser_expect_name(parser));
    return field;
}

static void check_target(Parser *parser, const Node *node) {
    bool assignable = node->kind == NODE_NAME || node->kind == NODE_FIELD;
    if (!assignable && node->kind != NODE_TUPLE)
        jinja_fail(parser->jinja, "only names, tuples of names and fields of a namespace can be "
                                  "assigned to");
    for (const Node *item = node->first; !assignable && item; item = item->next)
        check_target(parser, item);
}

Node *parse_target(Parser *parser, bool with_fields, const char *end) {
    Node *node = parse_items(parser, parse_target_item, with_fields, false, end);
    check_target(parser, node);
    return node;
}
