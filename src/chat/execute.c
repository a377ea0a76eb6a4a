/* execute.c — the effects of statements. */
#include "evaluate.h"

static Scope *inner_scope(Jinja *jinja, Scope *outer) {
    Scope *scope = jinja_allocate(jinja, sizeof *scope);
    scope->outer = outer;
    return scope;
}

static Text execute_to_text(Jinja *jinja, Scope *scope, const Node *body) {
    TextBuilder builder = jinja_builder(jinja);
    execute(jinja, scope, body, &builder);
    return jinja_built(&builder);
}

/* --- assignment --- */

static void assign(Jinja *jinja, Scope *scope, const Node *target, Value value);

static void assign_field(Jinja *jinja, Scope *scope, const Node *target, Value value) {
    Value namespace = evaluate(jinja, scope, target->first);
    if (namespace.kind != VALUE_NAMESPACE)
        jinja_fail(jinja, "only the fields of a namespace can be set, not those of %s",
                   jinja_kind_name(namespace));
    jinja_put(jinja, namespace.mapping, target->value, value);
}

static void unpack(Jinja *jinja, Scope *scope, const Node *target, Value value) {
    const List *items = jinja_elements(jinja, value);
    size_t count = 0;
    for (const Node *item = target->first; item; item = item->next)
        count++;
    if (count != items->count) jinja_fail(jinja, "%zu values for %zu names", items->count, count);
    const Value *next = items->items;
    for (const Node *item = target->first; item; item = item->next)
        assign(jinja, scope, item, *next++);
}

static void assign(Jinja *jinja, Scope *scope, const Node *target, Value value) {
    if (target->kind == NODE_NAME)
        jinja_put(jinja, &scope->variables, target->value, value);
    else if (target->kind == NODE_FIELD)
        assign_field(jinja, scope, target, value);
    else if (value.kind == VALUE_UNDEFINED)
        jinja_fail(jinja, "%s", value.missing);
    else
        unpack(jinja, scope, target, value);
}

static void execute_set_block(Jinja *jinja, Scope *scope, const Node *node) {
    Scope *inside = inner_scope(jinja, scope);
    Value text = jinja_from_text(jinja, execute_to_text(jinja, inside, node->fourth));
    assign(jinja, scope, node->first, evaluate_filters(jinja, inside, node->second, text));
}

/* --- branches and loops --- */

static Flow execute_if(Jinja *jinja, Scope *scope, const Node *node, TextBuilder *out) {
    for (const Node *branch = node->first; branch; branch = branch->next)
        if (jinja_truth(evaluate(jinja, scope, branch->first)))
            return execute(jinja, scope, branch->second, out);
    return execute(jinja, scope, node->second, out);
}

/* The elements that the loop's own "if" takes. */
static const List *loop_items(Jinja *jinja, Scope *scope, const Node *node) {
    const List *items = jinja_elements(jinja, evaluate(jinja, scope, node->second));
    if (!node->third) return items;
    List *taken = jinja_list(jinja);
    for (size_t i = 0; i < items->count; i++) {
        Scope *inside = inner_scope(jinja, scope);
        assign(jinja, inside, node->first, items->items[i]);
        if (jinja_truth(evaluate(jinja, inside, node->third)))
            jinja_add(jinja, taken, items->items[i]);
    }
    return taken;
}

static Flow execute_for(Jinja *jinja, Scope *scope, const Node *node, TextBuilder *out) {
    Loop *loop = jinja_allocate(jinja, sizeof *loop);
    *loop = (Loop){.items = loop_items(jinja, scope, node), .last_changed = {VALUE_ABSENT, {0}}};
    if (loop->items->count == 0)
        return execute(jinja, inner_scope(jinja, scope), node->otherwise, out);
    Value name = jinja_from_string(jinja, "loop");
    for (; loop->index < loop->items->count; loop->index++) {
        Scope *inside = inner_scope(jinja, scope);
        jinja_put(jinja, &inside->variables, name, (Value){.kind = VALUE_LOOP, .loop = loop});
        assign(jinja, inside, node->first, loop->items->items[loop->index]);
        if (execute(jinja, inside, node->fourth, out) == BREAK_LOOP) break;
    }
    return GO_ON;
}

/* --- macros --- */

static Value make_macro(Jinja *jinja, Scope *scope, const Signature *signature) {
    Macro *macro = jinja_allocate(jinja, sizeof *macro);
    *macro = (Macro){signature, scope};
    return (Value){.kind = VALUE_MACRO, .macro = macro};
}

static void execute_call_block(Jinja *jinja, Scope *scope, const Node *node, TextBuilder *out) {
    const Node *call = node->first;
    Value callee = evaluate(jinja, scope, call->first);
    Arguments arguments = evaluate_arguments(jinja, scope, call->second);
    Keyword *named = jinja_allocate(jinja, (arguments.named_count + 1) * sizeof *named);
    for (size_t i = 0; i < arguments.named_count; i++)
        named[i] = arguments.named[i];
    named[arguments.named_count++] =
        (Keyword){node->signature->name, make_macro(jinja, scope, node->signature)};
    arguments.named = named;
    jinja->line = node->line;
    jinja_append_value(out, jinja_call(jinja, callee, &arguments));
}

static Flow execute_with(Jinja *jinja, Scope *scope, const Node *node, TextBuilder *out) {
    Scope *inside = inner_scope(jinja, scope);
    for (const Node *set = node->first; set; set = set->next)
        assign(jinja, inside, set->first, evaluate(jinja, scope, set->second));
    return execute(jinja, inside, node->fourth, out);
}

static void execute_filter_block(Jinja *jinja, Scope *scope, const Node *node, TextBuilder *out) {
    Scope *inside = inner_scope(jinja, scope);
    Value text = jinja_from_text(jinja, execute_to_text(jinja, inside, node->fourth));
    jinja_append_value(out, evaluate_filters(jinja, inside, node->first, text));
}

/* --- all --- */

static Flow execute_one(Jinja *jinja, Scope *scope, const Node *node, TextBuilder *out) {
    switch (node->kind) {
    case NODE_TEXT:
        jinja_append(out, *node->value.text);
        return GO_ON;
    case NODE_OUTPUT:
        jinja_append_value(out, evaluate(jinja, scope, node->first));
        return GO_ON;
    case NODE_IF:
        return execute_if(jinja, scope, node, out);
    case NODE_FOR:
        return execute_for(jinja, scope, node, out);
    case NODE_SET:
        assign(jinja, scope, node->first, evaluate(jinja, scope, node->second));
        return GO_ON;
    case NODE_SET_BLOCK:
        execute_set_block(jinja, scope, node);
        return GO_ON;
    case NODE_MACRO:
        jinja_put(jinja, &scope->variables, jinja_from_text(jinja, node->signature->name),
                  make_macro(jinja, scope, node->signature));
        return GO_ON;
    case NODE_CALL_BLOCK:
        execute_call_block(jinja, scope, node, out);
        return GO_ON;
    case NODE_FILTER_BLOCK:
        execute_filter_block(jinja, scope, node, out);
        return GO_ON;
    case NODE_WITH:
        return execute_with(jinja, scope, node, out);
    case NODE_GENERATION:
        execute(jinja, inner_scope(jinja, scope), node->fourth, out);
        return GO_ON;
    case NODE_BREAK:
        return BREAK_LOOP;
    default:
        return NEXT_PASS;
    }
}

Flow execute(Jinja *jinja, Scope *scope, const Node *node, TextBuilder *out) {
    Flow flow = GO_ON;
    jinja_enter(jinja);
    for (; node && flow == GO_ON; node = node->next) {
        jinja->line = node->line;
        flow = execute_one(jinja, scope, node, out);
    }
    jinja_leave(jinja);
    return flow;
}
