/* methods.c — the methods of mappings, lists and loops that change nothing. */
#include "jinja.h"

/* --- mappings --- */

static Value view(List *list, const char *label) {
    list->label = label;
    return jinja_from_list(VALUE_VIEW, list);
}

static Value method_items(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    List *list = jinja_list(jinja);
    for (size_t i = 0; i < subject.mapping->count; i++) {
        const Entry *entry = &subject.mapping->entries[i];
        jinja_add(jinja, list, jinja_pair(jinja, entry->key, entry->value));
    }
    return view(list, "dict_items");
}

static Value method_keys(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    List *list = jinja_list(jinja);
    for (size_t i = 0; i < subject.mapping->count; i++)
        jinja_add(jinja, list, subject.mapping->entries[i].key);
    return view(list, "dict_keys");
}

static Value method_values(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    List *list = jinja_list(jinja);
    for (size_t i = 0; i < subject.mapping->count; i++)
        jinja_add(jinja, list, subject.mapping->entries[i].value);
    return view(list, "dict_values");
}

static Value method_get(Jinja *jinja, Value subject, const Arguments *arguments) {
    const Value *value = jinja_get(jinja, subject.mapping, arguments->positional[0]);
    Value otherwise = arguments->positional[1];
    if (value) return *value;
    return otherwise.kind == VALUE_ABSENT ? jinja_none() : otherwise;
}

static Value method_copy(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)jinja, (void)arguments;
    return subject;
}

const Builtin jinja_mapping_methods[] = {
    {"items", method_items, ""},        {"keys", method_keys, ""}, {"values", method_values, ""},
    {"get", method_get, "key|default"}, {"copy", method_copy, ""}, {NULL, NULL, NULL},
};

/* --- lists --- */

static Value method_count(Jinja *jinja, Value subject, const Arguments *arguments) {
    int64_t count = 0;
    for (size_t i = 0; i < subject.list->count; i++)
        count += jinja_equal(jinja, subject.list->items[i], arguments->positional[0]);
    return jinja_integer(count);
}

static Value method_index(Jinja *jinja, Value subject, const Arguments *arguments) {
    for (size_t i = 0; i < subject.list->count; i++)
        if (jinja_equal(jinja, subject.list->items[i], arguments->positional[0]))
            return jinja_integer((int64_t)i);
    jinja_fail(jinja, "the value is not in the list");
}

const Builtin jinja_list_methods[] = {
    {"count", method_count, "value"},
    {"index", method_index, "value"},
    {"copy", method_copy, ""},
    {NULL, NULL, NULL},
};

/* --- loops --- */

static Value method_cycle(Jinja *jinja, Value subject, const Arguments *arguments) {
    if (arguments->count == 0) jinja_fail(jinja, "there is nothing to cycle through");
    return arguments->positional[subject.loop->index % arguments->count];
}

/* Whether the arguments are others than at the last call. */
static Value method_changed(Jinja *jinja, Value subject, const Arguments *arguments) {
    List *list = jinja_list(jinja);
    for (size_t i = 0; i < arguments->count; i++)
        jinja_add(jinja, list, arguments->positional[i]);
    Value now = jinja_from_list(VALUE_TUPLE, list), *last = &subject.loop->last_changed;
    bool changed = !jinja_equal(jinja, now, *last);
    *last = now;
    return jinja_boolean(changed);
}

const Builtin jinja_loop_methods[] = {
    {"cycle", method_cycle, NULL},
    {"changed", method_changed, NULL},
    {NULL, NULL, NULL},
};
