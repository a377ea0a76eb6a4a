/* parser.c — the statements of a template. */
#include "parser.h"

#include "lexer.h"

#include <string.h>

/* --- tokens and nodes --- */

Node *parser_node(Parser *parser, NodeKind kind) {
    Node *node = jinja_allocate(parser->jinja, sizeof *node);
    node->kind = kind;
    node->line = parser->token->line;
    return node;
}

void parser_add(NodeList *list, Node *node) {
    *list->end = node;
    list->end = &node->next;
}

void parser_unexpected(Parser *parser, const char *wanted) {
    parser->jinja->line = parser->token->line;
    jinja_fail(parser->jinja, "expected %s, found \"%.*s\"", wanted,
               TEXT_ARGUMENTS(parser->token->text));
}

bool parser_at(const Parser *parser, const char *text) {
    TokenKind kind = parser->token->kind;
    return (kind == TOKEN_NAME || kind == TOKEN_OPERATOR) &&
           jinja_text_is(parser->token->text, text);
}

bool parser_take(Parser *parser, const char *text) {
    if (!parser_at(parser, text)) return false;
    parser->token++;
    return true;
}

void parser_expect(Parser *parser, const char *text) {
    char wanted[40] = "\"";
    if (parser_take(parser, text)) return;
    strcat(strncat(wanted, text, 30), "\"");
    parser_unexpected(parser, wanted);
}

Text parser_expect_name(Parser *parser) {
    if (parser->token->kind != TOKEN_NAME) parser_unexpected(parser, "a name");
    return parser->token++->text;
}

void parser_nest(Parser *parser) {
    parser->jinja->line = parser->token->line;
    if (++parser->nesting > JINJA_MAX_NESTING)
        jinja_fail(parser->jinja, "more than %d statements and brackets within each other",
                   JINJA_MAX_NESTING);
}

void parser_unnest(Parser *parser) {
    parser->nesting--;
}

/* --- statements --- */

static Node *parse_body(Parser *, const char *const *ends);

static void expect_block_end(Parser *parser) {
    if (parser->token->kind != TOKEN_BLOCK_END) parser_unexpected(parser, "the end of the tag");
    parser->token++;
}

/* The statements up to one of the tags `ends`, whose name is taken. */
static Node *parse_block(Parser *parser, const char *const *ends, bool guarded) {
    bool outer = parser->guarded;
    parser_take(parser, ":");
    expect_block_end(parser);
    parser_nest(parser);
    parser->guarded = guarded;
    Node *body = parse_body(parser, ends);
    parser->guarded = outer;
    parser_unnest(parser);
    return body;
}

static Node *parse_block_to(Parser *parser, const char *end) {
    Node *body = parse_block(parser, (const char *const[]){end, NULL}, false);
    parser_expect(parser, end);
    return body;
}

/* The same where loops around the block cannot be left. */
static Node *parse_closed_block(Parser *parser, const char *end) {
    unsigned loops = parser->loops;
    parser->loops = 0;
    Node *body = parse_block_to(parser, end);
    parser->loops = loops;
    return body;
}

static Node *parse_condition(Parser *parser) {
    bool outer = parser->guarded;
    parser->guarded = true;
    Node *condition = parse_tuple(parser, false, false, NULL);
    parser->guarded = outer;
    return condition;
}

static Node *parse_if(Parser *parser) {
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    Node *node = parser_node(parser, NODE_IF);
    NodeList branches = {.end = &node->first};
    do {
        Node *branch = parser_node(parser, NODE_BRANCH);
        branch->first = parse_condition(parser);
        branch->second = parse_block(parser, ends, true);
        parser_add(&branches, branch);
    } while (parser_take(parser, "elif"));
    if (parser_take(parser, "else")) node->second = parse_block(parser, ends + 2, true);
    parser_expect(parser, "endif");
    return node;
}

static Node *parse_for(Parser *parser) {
    static const char *const ends[] = {"endfor", "else", NULL};
    Node *node = parser_node(parser, NODE_FOR);
    node->first = parse_target(parser, false, "in");
    parser_expect(parser, "in");
    node->second = parse_tuple(parser, false, false, "recursive");
    if (parser_take(parser, "if")) node->third = parse_expression(parser, true);
    if (parser_at(parser, "recursive"))
        jinja_fail(parser->jinja, "recursive loops are not supported");
    parser->loops++;
    node->fourth = parse_block(parser, ends, false);
    parser->loops--;
    if (parser_take(parser, "else"))
        node->otherwise = parse_block_to(parser, "endfor");
    else
        parser_expect(parser, "endfor");
    return node;
}

static Node *parse_set(Parser *parser) {
    Node *node = parser_node(parser, NODE_SET);
    node->first = parse_target(parser, true, "=");
    if (parser_take(parser, "=")) {
        node->second = parse_tuple(parser, true, false, NULL);
        return node;
    }
    node->kind = NODE_SET_BLOCK;
    node->second = parse_filters(parser, NULL, false);
    node->fourth = parse_closed_block(parser, "endset");
    return node;
}

static Node *parse_parameters(Parser *parser) {
    NodeList list = {0};
    list.end = &list.first;
    bool defaults = false;
    parser_expect(parser, "(");
    while (!parser_take(parser, ")")) {
        if (list.first) parser_expect(parser, ",");
        Node *pair = parser_node(parser, NODE_PAIR);
        pair->value = jinja_from_text(parser->jinja, parser_expect_name(parser));
        if (parser_take(parser, "="))
            pair->second = parse_expression(parser, true), defaults = true;
        else if (defaults)
            jinja_fail(parser->jinja, "a parameter without default after one with");
        parser_add(&list, pair);
    }
    return list.first;
}

/* The body of a macro with this signature, up to the tag `end`. */
static void parse_macro_body(Parser *parser, Signature *signature, const char *end) {
    MacroScope scope = {parser->macros, signature};
    parser->macros = &scope;
    signature->body = parse_closed_block(parser, end);
    parser->macros = scope.outer;
}

static Node *parse_macro(Parser *parser) {
    Node *node = parser_node(parser, NODE_MACRO);
    node->signature = jinja_allocate(parser->jinja, sizeof *node->signature);
    node->signature->name = parser_expect_name(parser);
    node->signature->parameters = parse_parameters(parser);
    parse_macro_body(parser, node->signature, "endmacro");
    return node;
}

static Node *parse_call_block(Parser *parser) {
    Node *node = parser_node(parser, NODE_CALL_BLOCK);
    node->signature = jinja_allocate(parser->jinja, sizeof *node->signature);
    node->signature->name = jinja_literal(parser->jinja, "caller");
    if (parser_at(parser, "(")) node->signature->parameters = parse_parameters(parser);
    node->first = parse_expression(parser, true);
    if (node->first->kind != NODE_CALL) jinja_fail(parser->jinja, "expected the call of a macro");
    parse_macro_body(parser, node->signature, "endcall");
    return node;
}

static Node *parse_filter_block(Parser *parser) {
    Node *node = parser_node(parser, NODE_FILTER_BLOCK);
    node->first = parse_filters(parser, NULL, true);
    node->fourth = parse_closed_block(parser, "endfilter");
    return node;
}

static Node *parse_with(Parser *parser) {
    Node *node = parser_node(parser, NODE_WITH);
    NodeList sets = {.end = &node->first};
    while (parser->token->kind != TOKEN_BLOCK_END && !parser_at(parser, ":")) {
        if (node->first) parser_expect(parser, ",");
        Node *set = parser_node(parser, NODE_SET);
        set->first = parse_target(parser, false, "=");
        parser_expect(parser, "=");
        set->second = parse_expression(parser, true);
        parser_add(&sets, set);
    }
    node->fourth = parse_block_to(parser, "endwith");
    return node;
}

static Node *parse_generation(Parser *parser) {
    Node *node = parser_node(parser, NODE_GENERATION);
    node->fourth = parse_closed_block(parser, "endgeneration");
    return node;
}

static Node *parse_loop_control(Parser *parser, NodeKind kind) {
    if (!parser->loops) jinja_fail(parser->jinja, "break and continue belong directly into a loop");
    return parser_node(parser, kind);
}

static Node *parse_statement(Parser *parser) {
    static const struct {
        const char *name;
        Node *(*parse)(Parser *);
    } statements[] = {{"if", parse_if},           {"for", parse_for},
                      {"set", parse_set},         {"macro", parse_macro},
                      {"call", parse_call_block}, {"filter", parse_filter_block},
                      {"with", parse_with},       {"generation", parse_generation}};
    parser->jinja->line = parser->token->line;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (parser_take(parser, statements[i].name)) return statements[i].parse(parser);
    if (parser_take(parser, "break")) return parse_loop_control(parser, NODE_BREAK);
    if (parser_take(parser, "continue")) return parse_loop_control(parser, NODE_CONTINUE);
    jinja_fail(parser->jinja, "the tag \"%.*s\" is not supported, or does not belong here",
               TEXT_ARGUMENTS(parser->token->text));
}

static Node *parse_output(Parser *parser) {
    Node *node = parser_node(parser, NODE_OUTPUT);
    node->first = parse_tuple(parser, true, false, NULL);
    if (parser->token->kind != TOKEN_VARIABLE_END) parser_unexpected(parser, "\"}}\"");
    parser->token++;
    return node;
}

static Node *parse_data(Parser *parser) {
    Node *node = parser_node(parser, NODE_TEXT);
    node->value = jinja_from_text(parser->jinja, parser->token++->text);
    return node;
}

static bool at_any(const Parser *parser, const char *const *ends) {
    for (; *ends; ends++)
        if (parser_at(parser, *ends)) return true;
    return false;
}

/* Statements up to one of `ends`, which is not taken; the end of the template if there are none. */
static Node *parse_body(Parser *parser, const char *const *ends) {
    NodeList list = {0};
    list.end = &list.first;
    for (;;) {
        switch (parser->token->kind) {
        case TOKEN_DATA:
            parser_add(&list, parse_data(parser));
            break;
        case TOKEN_VARIABLE_BEGIN:
            parser->token++;
            parser_add(&list, parse_output(parser));
            break;
        case TOKEN_BLOCK_BEGIN:
            parser->token++;
            if (at_any(parser, ends)) return list.first;
            parser_add(&list, parse_statement(parser));
            expect_block_end(parser);
            break;
        default:
            if (*ends) parser_unexpected(parser, *ends);
            return list.first;
        }
    }
}

Node *jinja_parse(Jinja *jinja, const char *source, size_t size) {
    static const char *const no_ends[] = {NULL};
    Parser parser = {.jinja = jinja, .token = jinja_tokens(jinja, source, size)};
    return parse_body(&parser, no_ends);
}
