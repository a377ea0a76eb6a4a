/* list_filters.c — filters that look at lists, mappings and whatever can be gone through. */
#include "jinja.h"

#include <string.h>

static Value text_in_lower_case(Jinja *jinja, Value value) {
    if (value.kind != VALUE_TEXT) return value;
    return jinja_from_text(jinja, jinja_lower(jinja, *value.text));
}

static bool given(Value value) {
    return value.kind != VALUE_ABSENT && value.kind != VALUE_NONE;
}

static Value iterator(List *list) {
    return jinja_from_list(VALUE_ITERATOR, list);
}

/* What an element is sorted or told apart by: itself or an attribute, in lower case unless case
 * matters. */
static Value key_of(Jinja *jinja, Value item, Value attribute, bool case_matters) {
    if (given(attribute)) item = jinja_follow(jinja, item, attribute);
    return case_matters ? item : text_in_lower_case(jinja, item);
}

/* --- one of many, or their number --- */

static Value filter_default(Jinja *jinja, Value subject, const Arguments *arguments) {
    Value otherwise = arguments->positional[0];
    bool falsy_too = jinja_want_boolean(arguments->positional[1], false);
    if (subject.kind != VALUE_UNDEFINED && !(falsy_too && !jinja_truth(subject))) return subject;
    return otherwise.kind == VALUE_ABSENT ? jinja_from_string(jinja, "") : otherwise;
}

static Value filter_length(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    int64_t size = jinja_size(jinja, subject);
    if (size < 0) jinja_fail(jinja, "%s has no length", jinja_kind_name(subject));
    return jinja_integer(size);
}

static Value filter_first(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    if (subject.kind == VALUE_ITERATOR && subject.list->next < subject.list->count)
        return subject.list->items[subject.list->next++];
    const List *items = jinja_elements(jinja, subject);
    if (items->count == 0) return jinja_undefined(jinja, "there is no first item");
    return items->items[0];
}

static Value filter_last(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    if (subject.kind == VALUE_ITERATOR)
        jinja_fail(jinja, "%s has no last item", jinja_kind_name(subject));
    const List *items = jinja_elements(jinja, subject);
    if (items->count == 0) return jinja_undefined(jinja, "there is no last item");
    return items->items[items->count - 1];
}

/* The smallest, or with sign −1 the largest; the first of several. */
static Value extreme(Jinja *jinja, Value subject, const Arguments *arguments, int sign) {
    bool case_matters = jinja_want_boolean(arguments->positional[0], false);
    const List *items = jinja_elements(jinja, subject);
    if (items->count == 0) return jinja_undefined(jinja, "there is no item");
    Value best = items->items[0];
    Value best_key = key_of(jinja, best, arguments->positional[1], case_matters);
    for (size_t i = 1; i < items->count; i++) {
        Value key = key_of(jinja, items->items[i], arguments->positional[1], case_matters);
        if (sign * jinja_compare(jinja, key, best_key) >= 0) continue;
        best = items->items[i];
        best_key = key;
    }
    return best;
}

static Value filter_min(Jinja *jinja, Value subject, const Arguments *arguments) {
    return extreme(jinja, subject, arguments, 1);
}

static Value filter_max(Jinja *jinja, Value subject, const Arguments *arguments) {
    return extreme(jinja, subject, arguments, -1);
}

static Value filter_sum(Jinja *jinja, Value subject, const Arguments *arguments) {
    Value attribute = arguments->positional[0], sum = arguments->positional[1];
    const List *items = jinja_elements(jinja, subject);
    if (sum.kind == VALUE_ABSENT) sum = jinja_integer(0);
    if (sum.kind == VALUE_TEXT) jinja_fail(jinja, "\"sum\" does not add texts; use \"join\"");
    for (size_t i = 0; i < items->count; i++)
        sum = jinja_operate(jinja, ADD, sum, key_of(jinja, items->items[i], attribute, true));
    return sum;
}

static Value filter_join(Jinja *jinja, Value subject, const Arguments *arguments) {
    Value between = arguments->positional[0], attribute = arguments->positional[1];
    const List *items = jinja_elements(jinja, subject);
    TextBuilder builder = jinja_builder(jinja);
    for (size_t i = 0; i < items->count; i++) {
        if (i > 0 && between.kind != VALUE_ABSENT) jinja_append_value(&builder, between);
        jinja_append_value(&builder, key_of(jinja, items->items[i], attribute, true));
    }
    return jinja_from_text(jinja, jinja_built(&builder));
}

/* --- in another order, or in parts --- */

static Value filter_list(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    List *copy = jinja_list(jinja);
    *copy = *jinja_elements(jinja, subject);
    copy->capacity = copy->count;
    return jinja_from_list(VALUE_LIST, copy);
}

static Value filter_reverse(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    Value backwards = jinja_integer(-1), none = jinja_none();
    if (subject.kind == VALUE_TEXT) return jinja_slice(jinja, subject, none, none, backwards);
    const List *items = jinja_elements(jinja, subject);
    List *reversed = jinja_list(jinja);
    for (size_t i = items->count; i-- > 0;)
        jinja_add(jinja, reversed, items->items[i]);
    return jinja_from_list(subject.kind == VALUE_ITERATOR ? VALUE_LIST : VALUE_ITERATOR, reversed);
}

static List *copy_of(Jinja *jinja, const List *items) {
    List *copy = jinja_list(jinja);
    for (size_t i = 0; i < items->count; i++)
        jinja_add(jinja, copy, items->items[i]);
    return copy;
}

/* By one attribute, or by several with commas between: a list, since two undefined values are
 * equal in a list, but have no order by themselves. */
static Value sort_key(Jinja *jinja, Value item, Value attribute, bool case_matters) {
    List *parts = jinja_list(jinja);
    if (attribute.kind == VALUE_INTEGER) return key_of(jinja, item, attribute, case_matters);
    if (attribute.kind != VALUE_TEXT) {
        jinja_add(jinja, parts, key_of(jinja, item, attribute, case_matters));
        return jinja_from_list(VALUE_LIST, parts);
    }
    Text rest = *attribute.text, comma = jinja_literal(jinja, ",");
    for (bool last = false; !last;) {
        ptrdiff_t found = jinja_find(jinja, rest, comma, 0);
        last = found == NOT_FOUND;
        Text part = jinja_part(rest, 0, last ? rest.size : (size_t)found);
        Value path = jinja_from_text(jinja, part);
        jinja_add(jinja, parts, key_of(jinja, item, path, case_matters));
        if (!last) rest = jinja_part(rest, part.size + 1, rest.size);
    }
    return jinja_from_list(VALUE_LIST, parts);
}

static List *sorted(Jinja *jinja, const List *items, Value attribute, bool case_matters,
                    bool reverse) {
    List *copy = copy_of(jinja, items);
    Value *keys = jinja_allocate(jinja, (copy->count + 1) * sizeof *keys);
    for (size_t i = 0; i < copy->count; i++)
        keys[i] = sort_key(jinja, copy->items[i], attribute, case_matters);
    jinja_sort(jinja, copy->items, keys, copy->count, reverse);
    return copy;
}

static Value filter_sort(Jinja *jinja, Value subject, const Arguments *arguments) {
    const Value *argument = arguments->positional;
    return jinja_from_list(VALUE_LIST, sorted(jinja, jinja_elements(jinja, subject), argument[2],
                                              jinja_want_boolean(argument[1], false),
                                              jinja_want_boolean(argument[0], false)));
}

static Value filter_unique(Jinja *jinja, Value subject, const Arguments *arguments) {
    bool case_matters = jinja_want_boolean(arguments->positional[0], false);
    const List *items = jinja_elements(jinja, subject);
    Mapping *seen = jinja_mapping(jinja);
    List *unique = jinja_list(jinja);
    for (size_t i = 0; i < items->count; i++) {
        Value key = key_of(jinja, items->items[i], arguments->positional[1], case_matters);
        if (jinja_get(jinja, seen, key)) continue;
        jinja_put(jinja, seen, key, jinja_none());
        jinja_add(jinja, unique, items->items[i]);
    }
    return iterator(unique);
}

static Value filter_batch(Jinja *jinja, Value subject, const Arguments *arguments) {
    int64_t size = jinja_want_integer(jinja, arguments->positional[0], "linecount", 0);
    Value filling = arguments->positional[1];
    const List *items = jinja_elements(jinja, subject);
    List *batches = jinja_list(jinja), *batch = NULL;
    if (size < 1) jinja_fail(jinja, "\"batch\" wants a size of 1 or more");
    for (size_t i = 0; i < items->count; i++) {
        if (i % (size_t)size == 0) {
            batch = jinja_list(jinja);
            jinja_add(jinja, batches, jinja_from_list(VALUE_LIST, batch));
        }
        jinja_add(jinja, batch, items->items[i]);
    }
    while (batch && given(filling) && batch->count < (size_t)size)
        jinja_add(jinja, batch, filling);
    return iterator(batches);
}

static Value filter_slice(Jinja *jinja, Value subject, const Arguments *arguments) {
    int64_t count = jinja_want_integer(jinja, arguments->positional[0], "slices", 0);
    Value filling = arguments->positional[1];
    const List *items = jinja_elements(jinja, subject);
    List *slices = jinja_list(jinja);
    if (count < 1) jinja_fail(jinja, "\"slice\" wants 1 slice or more");
    size_t length = items->count / (size_t)count, longer = items->count % (size_t)count, at = 0;
    for (size_t i = 0; i < (size_t)count; i++) {
        List *slice = jinja_list(jinja);
        for (size_t end = at + length + (i < longer); at < end; at++)
            jinja_add(jinja, slice, items->items[at]);
        if (given(filling) && i >= longer) jinja_add(jinja, slice, filling);
        jinja_add(jinja, slices, jinja_from_list(VALUE_LIST, slice));
    }
    return iterator(slices);
}

static Value attribute_or(Jinja *jinja, Value item, Value attribute, Value otherwise) {
    Value value = jinja_follow(jinja, item, attribute);
    return value.kind == VALUE_UNDEFINED && given(otherwise) ? otherwise : value;
}

/* Pairs of what an attribute is and the elements where it is that, in its order. */
static Value filter_group_by(Jinja *jinja, Value subject, const Arguments *arguments) {
    const Value *argument = arguments->positional;
    bool case_matters = jinja_want_boolean(argument[2], false);
    List *items = copy_of(jinja, jinja_elements(jinja, subject));
    List *groups = jinja_list(jinja), *group = NULL;
    Value *keys = jinja_allocate(jinja, (items->count + 1) * sizeof *keys), last = {0};
    for (size_t i = 0; i < items->count; i++) {
        keys[i] = attribute_or(jinja, items->items[i], argument[0], argument[1]);
        if (!case_matters) keys[i] = text_in_lower_case(jinja, keys[i]);
    }
    jinja_sort(jinja, items->items, keys, items->count, false);
    for (size_t i = 0; i < items->count; i++) {
        Value name = attribute_or(jinja, items->items[i], argument[0], argument[1]);
        Value key = case_matters ? name : text_in_lower_case(jinja, name);
        if (!group || !jinja_equal(jinja, key, last)) {
            group = jinja_list(jinja);
            jinja_add(jinja, groups, jinja_pair(jinja, name, jinja_from_list(VALUE_LIST, group)));
            last = key;
        }
        jinja_add(jinja, group, items->items[i]);
    }
    return jinja_from_list(VALUE_LIST, groups);
}

/* --- mappings --- */

static void check_mapping(Jinja *jinja, Value value) {
    if (value.kind == VALUE_UNDEFINED) jinja_fail(jinja, "%s", value.missing);
    if (value.kind != VALUE_MAPPING)
        jinja_fail(jinja, "%s is not a mapping", jinja_kind_name(value));
}

static Value filter_items(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    List *items = jinja_list(jinja);
    if (subject.kind == VALUE_UNDEFINED) return iterator(items);
    check_mapping(jinja, subject);
    for (size_t i = 0; i < subject.mapping->count; i++) {
        const Entry *entry = &subject.mapping->entries[i];
        jinja_add(jinja, items, jinja_pair(jinja, entry->key, entry->value));
    }
    return iterator(items);
}

static Value filter_dict_sort(Jinja *jinja, Value subject, const Arguments *arguments) {
    const Value *argument = arguments->positional;
    bool case_matters = jinja_want_boolean(argument[0], false);
    bool by_value = argument[1].kind != VALUE_ABSENT &&
                    jinja_text_is(jinja_want_text(jinja, argument[1], "by"), "value");
    if (!by_value && argument[1].kind != VALUE_ABSENT && !jinja_text_is(*argument[1].text, "key"))
        jinja_fail(jinja, "\"dictsort\" goes by \"key\" or \"value\"");
    check_mapping(jinja, subject);
    List *items = filter_items(jinja, subject, arguments).list;
    Value path = jinja_integer(by_value);
    return jinja_from_list(VALUE_LIST, sorted(jinja, items, path, case_matters,
                                              jinja_want_boolean(argument[2], false)));
}

static Value filter_attribute(Jinja *jinja, Value subject, const Arguments *arguments) {
    Text name = jinja_want_text(jinja, arguments->positional[0], "the name of an attribute");
    if (subject.kind == VALUE_MAPPING && !jinja_find_builtin(jinja_mapping_methods, name))
        return jinja_undefined(jinja, "a mapping has no attribute '%.*s'", TEXT_ARGUMENTS(name));
    return jinja_attribute(jinja, subject, name);
}

/* --- by a filter or test that is named --- */

/* Arguments without the first `count`. */
static Arguments after(const Arguments *arguments, size_t count) {
    Arguments rest = *arguments;
    if (count > 0) rest.positional += count;
    rest.count -= count;
    return rest;
}

static Value map_attribute(Jinja *jinja, const List *items, const Arguments *arguments) {
    Value attribute = {0}, otherwise = {0};
    for (size_t i = 0; i < arguments->named_count; i++) {
        if (jinja_text_is(arguments->named[i].name, "attribute"))
            attribute = arguments->named[i].value;
        else if (jinja_text_is(arguments->named[i].name, "default"))
            otherwise = arguments->named[i].value;
        else
            jinja_fail(jinja, "\"map\" takes an attribute and a default");
    }
    List *mapped = jinja_list(jinja);
    if (attribute.kind == VALUE_ABSENT) jinja_fail(jinja, "\"map\" misses the name of a filter");
    for (size_t i = 0; i < items->count; i++)
        jinja_add(jinja, mapped, attribute_or(jinja, items->items[i], attribute, otherwise));
    return iterator(mapped);
}

static const Builtin *named(Jinja *jinja, Value name, const Builtin *(*find)(Text),
                            const char *kind) {
    Text text = jinja_want_text(jinja, name, "the name of a filter or test");
    const Builtin *builtin = find(text);
    if (!builtin) jinja_fail(jinja, "the %s \"%.*s\" is not supported", kind, TEXT_ARGUMENTS(text));
    return builtin;
}

static Value filter_map(Jinja *jinja, Value subject, const Arguments *arguments) {
    if (!jinja_truth(subject)) return iterator(jinja_list(jinja));
    const List *items = jinja_elements(jinja, subject);
    if (arguments->count == 0) return map_attribute(jinja, items, arguments);
    const Builtin *filter = named(jinja, arguments->positional[0], jinja_find_filter, "filter");
    Arguments rest = after(arguments, 1);
    List *mapped = jinja_list(jinja);
    for (size_t i = 0; i < items->count; i++)
        jinja_add(jinja, mapped, jinja_call_builtin(jinja, filter, items->items[i], &rest));
    return iterator(mapped);
}

/* The elements that (whose attribute, if `by_attribute`) pass a test, or do not. */
static Value choose(Jinja *jinja, Value subject, const Arguments *arguments, bool by_attribute,
                    bool wanted) {
    List *chosen = jinja_list(jinja);
    if (!jinja_truth(subject)) return iterator(chosen);
    if (by_attribute && arguments->count == 0)
        jinja_fail(jinja, "the name of an attribute is missing");
    const List *items = jinja_elements(jinja, subject);
    size_t taken = by_attribute;
    const Builtin *test = NULL;
    if (arguments->count > taken)
        test = named(jinja, arguments->positional[taken++], jinja_find_test, "test");
    Arguments rest = after(arguments, taken);
    for (size_t i = 0; i < items->count; i++) {
        Value value = items->items[i];
        if (by_attribute) value = jinja_follow(jinja, value, arguments->positional[0]);
        if (test) value = jinja_call_builtin(jinja, test, value, &rest);
        if (jinja_truth(value) == wanted) jinja_add(jinja, chosen, items->items[i]);
    }
    return iterator(chosen);
}

static Value filter_select(Jinja *jinja, Value subject, const Arguments *arguments) {
    return choose(jinja, subject, arguments, false, true);
}

static Value filter_reject(Jinja *jinja, Value subject, const Arguments *arguments) {
    return choose(jinja, subject, arguments, false, false);
}

static Value filter_select_attribute(Jinja *jinja, Value subject, const Arguments *arguments) {
    return choose(jinja, subject, arguments, true, true);
}

static Value filter_reject_attribute(Jinja *jinja, Value subject, const Arguments *arguments) {
    return choose(jinja, subject, arguments, true, false);
}

const Builtin jinja_list_filters[] = {
    {"default", filter_default, "|default_value boolean"},
    {"d", filter_default, "|default_value boolean"},
    {"length", filter_length, ""},
    {"count", filter_length, ""},
    {"first", filter_first, ""},
    {"last", filter_last, ""},
    {"min", filter_min, "|case_sensitive attribute"},
    {"max", filter_max, "|case_sensitive attribute"},
    {"sum", filter_sum, "|attribute start"},
    {"join", filter_join, "|d attribute"},
    {"list", filter_list, ""},
    {"reverse", filter_reverse, ""},
    {"sort", filter_sort, "|reverse case_sensitive attribute"},
    {"unique", filter_unique, "|case_sensitive attribute"},
    {"batch", filter_batch, "linecount|fill_with"},
    {"slice", filter_slice, "slices|fill_with"},
    {"groupby", filter_group_by, "attribute|default case_sensitive"},
    {"items", filter_items, ""},
    {"dictsort", filter_dict_sort, "|case_sensitive by reverse"},
    {"attr", filter_attribute, "name"},
    {"map", filter_map, NULL},
    {"select", filter_select, NULL},
    {"reject", filter_reject, NULL},
    {"selectattr", filter_select_attribute, NULL},
    {"rejectattr", filter_reject_attribute, NULL},
    {NULL, NULL, NULL},
};
