/* evaluate.c — the values of expressions. */
#include "evaluate.h"

#include <string.h>

/* --- names --- */

static void refuse_known(Jinja *jinja, Text name) {
    static const char *const unsupported[] = {"cycler", "joiner", "lipsum", "self", "super"};
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
        if (jinja_text_is(name, unsupported[i]))
            jinja_fail(jinja, "\"%s\" is not supported", unsupported[i]);
}

static Value find_variable(Jinja *jinja, const Scope *scope, Value name) {
    for (; scope; scope = scope->outer) {
        const Value *value = jinja_get(jinja, &scope->variables, name);
        if (value) return *value;
    }
    const Builtin *function = jinja_find_builtin(jinja_functions, *name.text);
    if (function) return (Value){.kind = VALUE_FUNCTION, .function = function};
    refuse_known(jinja, *name.text);
    return jinja_undefined(jinja, "'%.*s' is undefined", TEXT_ARGUMENTS(*name.text));
}

/* --- literals --- */

static Value evaluate_list(Jinja *jinja, Scope *scope, const Node *node) {
    List *list = jinja_list(jinja);
    for (const Node *item = node->first; item; item = item->next)
        jinja_add(jinja, list, evaluate(jinja, scope, item));
    return jinja_from_list(node->kind == NODE_LIST ? VALUE_LIST : VALUE_TUPLE, list);
}

static Value evaluate_mapping(Jinja *jinja, Scope *scope, const Node *node) {
    Mapping *mapping = jinja_mapping(jinja);
    for (const Node *pair = node->first; pair; pair = pair->next) {
        Value key = evaluate(jinja, scope, pair->first);
        jinja_put(jinja, mapping, key, evaluate(jinja, scope, pair->second));
    }
    return jinja_from_mapping(mapping);
}

/* --- operators --- */

static Value concatenate(Jinja *jinja, Scope *scope, const Node *node) {
    TextBuilder builder = jinja_builder(jinja);
    for (const Node *item = node->first; item; item = item->next)
        jinja_append_value(&builder, evaluate(jinja, scope, item));
    return jinja_from_text(jinja, jinja_built(&builder));
}

/* a < b < c is a < b and b < c. */
static Value compare(Jinja *jinja, Scope *scope, const Node *node) {
    Value left = evaluate(jinja, scope, node->first);
    for (const Node *relation = node->second; relation; relation = relation->next) {
        Value right = evaluate(jinja, scope, relation->first);
        if (!jinja_relate(jinja, relation->operator, left, right)) return jinja_boolean(false);
        left = right;
    }
    return jinja_boolean(true);
}

static Value evaluate_logic(Jinja *jinja, Scope *scope, const Node *node) {
    Value left = evaluate(jinja, scope, node->first);
    bool decided = jinja_truth(left) == (node->kind == NODE_OR);
    return decided ? left : evaluate(jinja, scope, node->second);
}

static Value choose(Jinja *jinja, Scope *scope, const Node *node) {
    if (jinja_truth(evaluate(jinja, scope, node->first)))
        return evaluate(jinja, scope, node->second);
    if (node->third) return evaluate(jinja, scope, node->third);
    return jinja_undefined(jinja, "an inline \"if\" was false and has no \"else\"");
}

static Value evaluate_sign(Jinja *jinja, Value value, NodeKind kind) {
    Value negated = jinja_negate(jinja, value);
    if (kind == NODE_NEGATIVE) return negated;
    return value.kind == VALUE_FLOAT ? value : jinja_integer(jinja_as_integer(value));
}

static Value evaluate_optional(Jinja *jinja, Scope *scope, const Node *node) {
    return node ? evaluate(jinja, scope, node) : jinja_none();
}

static Value evaluate_slice(Jinja *jinja, Scope *scope, const Node *node) {
    Value value = evaluate(jinja, scope, node->first);
    Value start = evaluate_optional(jinja, scope, node->second);
    Value stop = evaluate_optional(jinja, scope, node->third);
    Value step = evaluate_optional(jinja, scope, node->fourth);
    return jinja_slice(jinja, value, start, stop, step);
}

/* --- calls --- */

typedef struct ArgumentList {
    Arguments arguments;
    size_t capacity, named_capacity;
} ArgumentList;

static void add_positional(Jinja *jinja, ArgumentList *list, Value value) {
    Arguments *arguments = &list->arguments;
    arguments->positional = jinja_grow(jinja, arguments->positional, arguments->count,
                                       &list->capacity, sizeof *arguments->positional);
    arguments->positional[arguments->count++] = value;
}

static void add_named(Jinja *jinja, ArgumentList *list, Value name, Value value) {
    Arguments *arguments = &list->arguments;
    if (name.kind != VALUE_TEXT) jinja_fail(jinja, "the keywords of a call must be texts");
    for (size_t i = 0; i < arguments->named_count; i++) {
        jinja_charge(jinja, 0);
        if (jinja_text_equal(arguments->named[i].name, *name.text))
            jinja_fail(jinja, "the argument \"%.*s\" is given twice", TEXT_ARGUMENTS(*name.text));
    }
    arguments->named = jinja_grow(jinja, arguments->named, arguments->named_count,
                                  &list->named_capacity, sizeof *arguments->named);
    arguments->named[arguments->named_count++] = (Keyword){*name.text, value};
}

static void add_all_positional(Jinja *jinja, ArgumentList *list, Value value) {
    const List *items = jinja_elements(jinja, value);
    for (size_t i = 0; i < items->count; i++)
        add_positional(jinja, list, items->items[i]);
}

static void add_all_named(Jinja *jinja, ArgumentList *list, Value value) {
    if (value.kind != VALUE_MAPPING)
        jinja_fail(jinja, "** wants a mapping, not %s", jinja_kind_name(value));
    for (size_t i = 0; i < value.mapping->count; i++)
        add_named(jinja, list, value.mapping->entries[i].key, value.mapping->entries[i].value);
}

Arguments evaluate_arguments(Jinja *jinja, Scope *scope, const Node *node) {
    ArgumentList list = {0};
    for (; node; node = node->next) {
        Value value = evaluate(jinja, scope, node->first);
        if (node->spread == 1)
            add_all_positional(jinja, &list, value);
        else if (node->spread == 2)
            add_all_named(jinja, &list, value);
        else if (node->value.kind == VALUE_TEXT)
            add_named(jinja, &list, node->value, value);
        else
            add_positional(jinja, &list, value);
    }
    return list.arguments;
}

static Value evaluate_call(Jinja *jinja, Scope *scope, const Node *node) {
    Value callee = evaluate(jinja, scope, node->first);
    Arguments arguments = evaluate_arguments(jinja, scope, node->second);
    jinja->line = node->line;
    return jinja_call(jinja, callee, &arguments);
}

static Value apply(Jinja *jinja, Scope *scope, const Node *node, Value subject) {
    Arguments arguments = evaluate_arguments(jinja, scope, node->second);
    jinja->line = node->line;
    return jinja_call_builtin(jinja, node->builtin, subject, &arguments);
}

Value evaluate_filters(Jinja *jinja, Scope *scope, const Node *filters, Value value) {
    if (!filters) return value;
    return apply(jinja, scope, filters, evaluate_filters(jinja, scope, filters->first, value));
}

/* --- all --- */

static Value evaluate_any(Jinja *jinja, Scope *scope, const Node *node) {
    switch (node->kind) {
    case NODE_CONSTANT:
        return node->value;
    case NODE_NAME:
        return find_variable(jinja, scope, node->value);
    case NODE_LIST:
    case NODE_TUPLE:
        return evaluate_list(jinja, scope, node);
    case NODE_MAPPING:
        return evaluate_mapping(jinja, scope, node);
    case NODE_SLICE:
        return evaluate_slice(jinja, scope, node);
    case NODE_CALL:
        return evaluate_call(jinja, scope, node);
    case NODE_AND:
    case NODE_OR:
        return evaluate_logic(jinja, scope, node);
    case NODE_CONCATENATION:
        return concatenate(jinja, scope, node);
    case NODE_COMPARISON:
        return compare(jinja, scope, node);
    case NODE_CHOICE:
        return choose(jinja, scope, node);
    default:
        break;
    }
    Value first = evaluate(jinja, scope, node->first);
    switch (node->kind) {
    case NODE_ATTRIBUTE:
        return jinja_attribute(jinja, first, *node->value.text);
    case NODE_FILTER:
    case NODE_TEST:
        return apply(jinja, scope, node, first);
    case NODE_NOT:
        return jinja_boolean(!jinja_truth(first));
    case NODE_NEGATIVE:
    case NODE_POSITIVE:
        return evaluate_sign(jinja, first, node->kind);
    default:
        break;
    }
    Value second = evaluate(jinja, scope, node->second);
    if (node->kind == NODE_ITEM) return jinja_item(jinja, first, second);
    return jinja_operate(jinja, node->operator, first, second);
}

Value evaluate(Jinja *jinja, Scope *scope, const Node *node) {
    jinja->line = node->line;
    jinja_enter(jinja);
    Value value = evaluate_any(jinja, scope, node);
    jinja_leave(jinja);
    return value;
}
