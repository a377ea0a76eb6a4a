/* access.c — attributes, items and slices, in the order in which Jinja's sandbox looks for them. */
#include "jinja.h"

#include <string.h>

/* --- attributes --- */

static bool is_among(Text name, const char *const *names) {
    for (; *names; names++)
        if (jinja_text_is(name, *names)) return true;
    return false;
}

/* Methods that would change a value: the sandbox has them undefined. */
static bool would_change(Value value, Text name) {
    static const char *const of_mappings[] = {"clear",      "pop",    "popitem",
                                              "setdefault", "update", NULL};
    static const char *const of_lists[] = {"append", "clear",  "pop",    "reverse", "insert",
                                           "sort",   "extend", "remove", NULL};
    if (value.kind == VALUE_MAPPING) return is_among(name, of_mappings);
    return value.kind == VALUE_LIST && is_among(name, of_lists);
}

/* What Python has and this interpreter has not is refused, not undefined. */
static void check_supported(Jinja *jinja, Value value, Text name) {
    static const char *const of_texts[] = {"casefold",   "encode",       "expandtabs",
                                           "format_map", "isidentifier", "isprintable",
                                           "maketrans",  "translate",    NULL};
    static const char *const of_mappings[] = {"fromkeys", NULL};
    bool unsupported = (value.kind == VALUE_TEXT && is_among(name, of_texts)) ||
                       (value.kind == VALUE_MAPPING && is_among(name, of_mappings));
    if (unsupported)
        jinja_fail(jinja, "the method \"%.*s\" is not supported", TEXT_ARGUMENTS(name));
}

static const Builtin *methods_of(Value value) {
    switch (value.kind) {
    case VALUE_TEXT:
        return jinja_text_methods;
    case VALUE_MAPPING:
        return jinja_mapping_methods;
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_RANGE:
        return jinja_list_methods;
    case VALUE_LOOP:
        return jinja_loop_methods;
    default:
        return NULL;
    }
}

static Value loop_neighbour(Jinja *jinja, const Loop *loop, size_t index, const char *missing) {
    if (index >= loop->items->count) return jinja_undefined(jinja, "%s", missing);
    return loop->items->items[index];
}

Value jinja_loop_attribute(Jinja *jinja, Loop *loop, Text name) {
    int64_t index = (int64_t)loop->index, count = (int64_t)loop->items->count;
    if (jinja_text_is(name, "index")) return jinja_integer(index + 1);
    if (jinja_text_is(name, "index0")) return jinja_integer(index);
    if (jinja_text_is(name, "revindex")) return jinja_integer(count - index);
    if (jinja_text_is(name, "revindex0")) return jinja_integer(count - index - 1);
    if (jinja_text_is(name, "first")) return jinja_boolean(index == 0);
    if (jinja_text_is(name, "last")) return jinja_boolean(index + 1 == count);
    if (jinja_text_is(name, "length")) return jinja_integer(count);
    if (jinja_text_is(name, "depth")) return jinja_integer(1);
    if (jinja_text_is(name, "depth0")) return jinja_integer(0);
    if (jinja_text_is(name, "previtem"))
        return loop_neighbour(jinja, loop, loop->index - 1, "there is no previous item");
    if (jinja_text_is(name, "nextitem"))
        return loop_neighbour(jinja, loop, loop->index + 1, "there is no next item");
    return jinja_undefined(jinja, "a loop has no attribute '%.*s'", TEXT_ARGUMENTS(name));
}

/* A method, or a field of what has fields; absent if there is none. */
static Value own_attribute(Jinja *jinja, Value value, Text name) {
    if (would_change(value, name))
        return jinja_undefined(jinja, "the method '%.*s' is not safe: it changes its value",
                               TEXT_ARGUMENTS(name));
    check_supported(jinja, value, name);
    const Builtin *methods = methods_of(value);
    const Builtin *method = methods ? jinja_find_builtin(methods, name) : NULL;
    if (method) return jinja_method(jinja, method, value);
    if (value.kind == VALUE_LOOP) return jinja_loop_attribute(jinja, value.loop, name);
    const Value *field = NULL;
    if (value.kind == VALUE_NAMESPACE)
        field = jinja_get(jinja, value.mapping, jinja_from_text(jinja, name));
    return field ? *field : (Value){.kind = VALUE_ABSENT};
}

static Value missing_attribute(Jinja *jinja, Value value, Text name) {
    return jinja_undefined(jinja, "%s has no attribute '%.*s'", jinja_kind_name(value),
                           TEXT_ARGUMENTS(name));
}

static void check_defined(Jinja *jinja, Value value) {
    if (value.kind == VALUE_UNDEFINED) jinja_fail(jinja, "%s", value.missing);
}

Value jinja_attribute(Jinja *jinja, Value value, Text name) {
    check_defined(jinja, value);
    Value attribute = own_attribute(jinja, value, name);
    if (attribute.kind != VALUE_ABSENT) return attribute;
    const Value *member = NULL;
    if (value.kind == VALUE_MAPPING)
        member = jinja_get(jinja, value.mapping, jinja_from_text(jinja, name));
    return member ? *member : missing_attribute(jinja, value, name);
}

/* --- items --- */

static Value text_item(Jinja *jinja, Text text, int64_t index, int64_t count) {
    size_t from = jinja_offset(jinja, text, (size_t)(index < 0 ? index + count : index));
    uint32_t c;
    return jinja_from_text(jinja, jinja_part(text, from, from + jinja_character(text, from, &c)));
}

static Value indexed(Jinja *jinja, Value value, int64_t index) {
    int64_t count = jinja_size(jinja, value);
    if (index < -count || index >= count)
        return jinja_undefined(jinja, "%s has no element %lld", jinja_kind_name(value),
                               (long long)index);
    if (value.kind == VALUE_TEXT) return text_item(jinja, *value.text, index, count);
    return value.list->items[index < 0 ? index + count : index];
}

Value jinja_item(Jinja *jinja, Value value, Value index) {
    check_defined(jinja, value);
    if (value.kind == VALUE_MAPPING && index.kind != VALUE_LIST && index.kind != VALUE_MAPPING) {
        const Value *member = jinja_get(jinja, value.mapping, index);
        if (member) return *member;
    } else if ((jinja_is_sequence(value) || value.kind == VALUE_TEXT) && jinja_is_integral(index))
        return indexed(jinja, value, jinja_as_integer(index));
    if (index.kind != VALUE_TEXT)
        return jinja_undefined(jinja, "%s has no such element", jinja_kind_name(value));
    Value attribute = own_attribute(jinja, value, *index.text);
    return attribute.kind != VALUE_ABSENT ? attribute
                                          : missing_attribute(jinja, value, *index.text);
}

static bool all_digits(Text text) {
    for (size_t i = 0; i < text.size; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9') return false;
    return text.size > 0;
}

Value jinja_follow(Jinja *jinja, Value value, Value path) {
    if (path.kind != VALUE_TEXT) return jinja_item(jinja, value, path);
    Text rest = *path.text, dot = jinja_literal(jinja, ".");
    for (bool last = false; !last;) {
        ptrdiff_t found = jinja_find(jinja, rest, dot, 0);
        last = found == NOT_FOUND;
        Text name = jinja_part(rest, 0, last ? rest.size : (size_t)found);
        Value part = jinja_from_text(jinja, name);
        if (all_digits(name)) {
            int64_t index = 0;
            jinja_parse_integer(jinja, name, 10, &index);
            part = jinja_integer(index);
        }
        value = jinja_item(jinja, value, part);
        if (!last) rest = jinja_part(rest, name.size + 1, rest.size);
    }
    return value;
}

/* --- slices --- */

typedef struct Bounds {
    int64_t start, stop, step, count;
} Bounds;

static int64_t bound(Jinja *jinja, Value value, int64_t otherwise) {
    if (value.kind == VALUE_NONE || value.kind == VALUE_ABSENT) return otherwise;
    check_defined(jinja, value);
    if (!jinja_is_integral(value))
        jinja_fail(jinja, "a slice is cut by integers, not by %s", jinja_kind_name(value));
    return jinja_as_integer(value);
}

static int64_t clamp(int64_t index, int64_t count, int64_t lowest, int64_t highest) {
    if (index < 0) index = index < -count ? lowest : index + count;
    return index < lowest ? lowest : index > highest ? highest : index;
}

static Bounds find_bounds(Jinja *jinja, int64_t size, Value start, Value stop, Value step) {
    Bounds bounds = {.step = bound(jinja, step, 1)};
    if (bounds.step == 0) jinja_fail(jinja, "the step of a slice is 0");
    bool up = bounds.step > 0;
    int64_t lowest = up ? 0 : -1, highest = up ? size : size - 1;
    int64_t first = bound(jinja, start, up ? 0 : INT64_MAX);
    int64_t last = bound(jinja, stop, up ? INT64_MAX : INT64_MIN);
    bounds.start = clamp(first, size, lowest, highest);
    bounds.stop = clamp(last, size, lowest, highest);
    int64_t distance = up ? bounds.stop - bounds.start : bounds.start - bounds.stop;
    uint64_t stride = up ? (uint64_t)bounds.step : 0 - (uint64_t)bounds.step;
    if (distance > 0) bounds.count = (int64_t)(((uint64_t)distance - 1) / stride) + 1;
    return bounds;
}

static Value slice_text(Jinja *jinja, Text text, int64_t size, Bounds bounds) {
    if (bounds.step == 1) {
        size_t from = jinja_offset(jinja, text, (size_t)bounds.start);
        Text rest = jinja_part(text, from, text.size);
        size_t length = jinja_offset(jinja, rest, (size_t)bounds.count);
        return jinja_from_text(jinja, jinja_part(rest, 0, length));
    }
    size_t *offsets = jinja_allocate(jinja, ((size_t)size + 1) * sizeof *offsets);
    uint32_t c;
    for (int64_t i = 0; i < size; i++)
        offsets[i + 1] = offsets[i] + jinja_character(text, offsets[i], &c);
    TextBuilder builder = jinja_builder(jinja);
    for (int64_t i = 0; i < bounds.count; i++) {
        int64_t at = bounds.start + i * bounds.step;
        jinja_append(&builder, jinja_part(text, offsets[at], offsets[at + 1]));
    }
    Text slice = jinja_built(&builder);
    slice.safe = text.safe;
    return jinja_from_text(jinja, slice);
}

static Value slice_list(Jinja *jinja, Value value, Bounds bounds) {
    const List *list = value.list;
    List *slice = jinja_list(jinja);
    for (int64_t i = 0; i < bounds.count; i++)
        jinja_add(jinja, slice, list->items[bounds.start + i * bounds.step]);
    if (value.kind == VALUE_RANGE) {
        slice->start = list->start + bounds.start * list->step;
        slice->stop = list->start + bounds.stop * list->step;
        slice->step = list->step * bounds.step;
    }
    return jinja_from_list(value.kind, slice);
}

Value jinja_slice(Jinja *jinja, Value value, Value start, Value stop, Value step) {
    check_defined(jinja, value);
    if (!jinja_is_sequence(value) && value.kind != VALUE_TEXT)
        jinja_fail(jinja, "%s cannot be sliced", jinja_kind_name(value));
    int64_t size = jinja_size(jinja, value);
    Bounds bounds = find_bounds(jinja, size, start, stop, step);
    return value.kind == VALUE_TEXT ? slice_text(jinja, *value.text, size, bounds)
                                    : slice_list(jinja, value, bounds);
}
