/* value.c — the values of a template: made, compared, gone through. */
#include "jinja.h"

#include "hash.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

Value jinja_none(void) {
    return (Value){.kind = VALUE_NONE};
}

Value jinja_boolean(bool boolean) {
    return (Value){.kind = VALUE_BOOLEAN, .boolean = boolean};
}

Value jinja_integer(int64_t integer) {
    return (Value){.kind = VALUE_INTEGER, .integer = integer};
}

Value jinja_float(double number) {
    return (Value){.kind = VALUE_FLOAT, .number = number};
}

Value jinja_from_text(Jinja *jinja, Text text) {
    Text *copy = jinja_allocate(jinja, sizeof *copy);
    *copy = text;
    return (Value){.kind = VALUE_TEXT, .text = copy};
}

Value jinja_from_string(Jinja *jinja, const char *string) {
    return jinja_from_text(jinja, jinja_literal(jinja, string));
}

Value jinja_from_list(ValueKind kind, List *list) {
    return (Value){.kind = kind, .list = list};
}

Value jinja_from_mapping(Mapping *mapping) {
    return (Value){.kind = VALUE_MAPPING, .mapping = mapping};
}

Value jinja_undefined(Jinja *jinja, const char *format, ...) {
    char message[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    char *copy = jinja_allocate(jinja, strlen(message) + 1);
    return (Value){.kind = VALUE_UNDEFINED, .missing = strcpy(copy, message)};
}

List *jinja_list(Jinja *jinja) {
    return jinja_allocate(jinja, sizeof(List));
}

void jinja_add(Jinja *jinja, List *list, Value value) {
    jinja_charge(jinja, 0);
    list->items = jinja_grow(jinja, list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = value;
}

Value jinja_pair(Jinja *jinja, Value first, Value second) {
    List *list = jinja_list(jinja);
    jinja_add(jinja, list, first);
    jinja_add(jinja, list, second);
    return jinja_from_list(VALUE_TUPLE, list);
}

/* --- what a value is --- */

const char *jinja_kind_name(Value value) {
    static const char *const names[] = {"nothing",     "an undefined value",
                                        "none",        "a boolean",
                                        "an integer",  "a float",
                                        "a text",      "a list",
                                        "a tuple",     "a mapping",
                                        "a range",     "a view",
                                        "an iterator", "a namespace",
                                        "a macro",     "a function",
                                        "a method",    "a loop"};
    return names[value.kind];
}

bool jinja_is_sequence(Value value) {
    return value.kind == VALUE_LIST || value.kind == VALUE_TUPLE || value.kind == VALUE_RANGE;
}

bool jinja_truth(Value value) {
    switch (value.kind) {
    case VALUE_ABSENT:
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        return false;
    case VALUE_BOOLEAN:
        return value.boolean;
    case VALUE_INTEGER:
        return value.integer != 0;
    case VALUE_FLOAT:
        return value.number != 0;
    case VALUE_TEXT:
        return value.text->size > 0;
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_RANGE:
    case VALUE_VIEW:
        return value.list->count > 0;
    case VALUE_MAPPING:
        return value.mapping->count > 0;
    default:
        return true;
    }
}

/* --- equality, order, hash --- */

static bool same_object(Value a, Value b) {
    return a.kind == b.kind && a.list == b.list;
}

static bool lists_equal(Jinja *jinja, const List *a, const List *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (!jinja_equal(jinja, a->items[i], b->items[i])) return false;
    return true;
}

static bool mappings_equal(Jinja *jinja, const Mapping *a, const Mapping *b) {
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        const Value *other = jinja_get(jinja, b, a->entries[i].key);
        if (!other || !jinja_equal(jinja, a->entries[i].value, *other)) return false;
    }
    return true;
}

static int compare_numbers(Value a, Value b) {
    if (jinja_is_integral(a) && jinja_is_integral(b)) {
        int64_t x = jinja_as_integer(a), y = jinja_as_integer(b);
        return (x > y) - (x < y);
    }
    double x = jinja_as_float(a), y = jinja_as_float(b);
    return (x > y) - (x < y);
}

static bool is_nan(Value value) {
    return value.kind == VALUE_FLOAT && isnan(value.number);
}

static bool kinds_equal(Jinja *jinja, Value a, Value b) {
    if (jinja_is_number(a) && jinja_is_number(b))
        return !is_nan(a) && !is_nan(b) && compare_numbers(a, b) == 0;
    if (a.kind != b.kind) return false;
    switch (a.kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        return true;
    case VALUE_TEXT:
        jinja_charge(jinja, a.text->size);
        return jinja_text_equal(*a.text, *b.text);
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_RANGE:
        return same_object(a, b) || lists_equal(jinja, a.list, b.list);
    case VALUE_MAPPING:
        return same_object(a, b) || mappings_equal(jinja, a.mapping, b.mapping);
    case VALUE_VIEW:
        jinja_fail(jinja, "views of a mapping cannot be compared here; make lists of them");
    default:
        return same_object(a, b);
    }
}

bool jinja_equal(Jinja *jinja, Value a, Value b) {
    jinja_enter(jinja);
    bool equal = kinds_equal(jinja, a, b);
    jinja_leave(jinja);
    return equal;
}

static int compare_lists(Jinja *jinja, const List *a, const List *b) {
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (!jinja_equal(jinja, a->items[i], b->items[i]))
            return jinja_compare(jinja, a->items[i], b->items[i]);
    return (a->count > b->count) - (a->count < b->count);
}

int jinja_compare(Jinja *jinja, Value a, Value b) {
    jinja_charge(jinja, 0);
    if (jinja_is_number(a) && jinja_is_number(b)) return compare_numbers(a, b);
    if (a.kind == VALUE_UNDEFINED) jinja_fail(jinja, "%s", a.missing);
    if (b.kind == VALUE_UNDEFINED) jinja_fail(jinja, "%s", b.missing);
    if (a.kind == VALUE_TEXT && b.kind == VALUE_TEXT) return jinja_text_compare(*a.text, *b.text);
    if (a.kind != b.kind || (a.kind != VALUE_LIST && a.kind != VALUE_TUPLE))
        jinja_fail(jinja, "%s and %s have no order", jinja_kind_name(a), jinja_kind_name(b));
    jinja_enter(jinja);
    int order = compare_lists(jinja, a.list, b.list);
    jinja_leave(jinja);
    return order;
}

static uint64_t hash_list(Jinja *jinja, const List *list) {
    uint64_t hash = list->count;
    jinja_enter(jinja);
    for (size_t i = 0; i < list->count; i++)
        hash = hash * 0x9E3779B97F4A7C15 + jinja_hash(jinja, list->items[i]);
    jinja_leave(jinja);
    return hash;
}

uint64_t jinja_hash(Jinja *jinja, Value value) {
    switch (value.kind) {
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        return value.kind;
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_FLOAT: {
        double number = jinja_as_float(value) + 0.0; /* −0 is 0 */
        return hash_bytes(&number, sizeof number);
    }
    case VALUE_TEXT:
        jinja_charge(jinja, value.text->size);
        return hash_bytes(value.text->bytes, value.text->size);
    case VALUE_TUPLE:
    case VALUE_RANGE:
        return hash_list(jinja, value.list);
    default:
        jinja_fail(jinja, "%s cannot be the key of a mapping", jinja_kind_name(value));
    }
}

/* --- mappings --- */

Mapping *jinja_mapping(Jinja *jinja) {
    return jinja_allocate(jinja, sizeof(Mapping));
}

static bool is_entry(Jinja *jinja, const Entry *entry, Value key, uint64_t hash) {
    jinja_charge(jinja, 0);
    return entry->hash == hash && jinja_equal(jinja, entry->key, key);
}

static Entry *find_entry(Jinja *jinja, const Mapping *mapping, Value key, uint64_t hash) {
    if (!mapping->slots) {
        for (size_t i = 0; i < mapping->count; i++)
            if (is_entry(jinja, &mapping->entries[i], key, hash)) return &mapping->entries[i];
        return NULL;
    }
    for (size_t at = hash;; at++) {
        uint32_t slot = mapping->slots[at & (mapping->slot_count - 1)];
        if (!slot) return NULL;
        if (is_entry(jinja, &mapping->entries[slot - 1], key, hash))
            return &mapping->entries[slot - 1];
    }
}

static void fill_slot(Mapping *mapping, size_t entry) {
    size_t at = mapping->entries[entry].hash;
    while (mapping->slots[at & (mapping->slot_count - 1)])
        at++;
    mapping->slots[at & (mapping->slot_count - 1)] = (uint32_t)entry + 1;
}

static void make_slots(Jinja *jinja, Mapping *mapping) {
    mapping->slot_count = mapping->slot_count ? 2 * mapping->slot_count : 32;
    mapping->slots = jinja_allocate(jinja, mapping->slot_count * sizeof *mapping->slots);
    for (size_t i = 0; i < mapping->count; i++)
        fill_slot(mapping, i);
}

void jinja_put(Jinja *jinja, Mapping *mapping, Value key, Value value) {
    uint64_t hash = jinja_hash(jinja, key);
    Entry *entry = find_entry(jinja, mapping, key, hash);
    if (entry) {
        entry->value = value;
        return;
    }
    mapping->entries = jinja_grow(jinja, mapping->entries, mapping->count, &mapping->capacity,
                                  sizeof *mapping->entries);
    mapping->entries[mapping->count++] = (Entry){key, value, hash};
    if (mapping->count > 8 && 2 * mapping->count > mapping->slot_count)
        make_slots(jinja, mapping);
    else if (mapping->slots)
        fill_slot(mapping, mapping->count - 1);
}

const Value *jinja_get(Jinja *jinja, const Mapping *mapping, Value key) {
    const Entry *entry = find_entry(jinja, mapping, key, jinja_hash(jinja, key));
    return entry ? &entry->value : NULL;
}

const Value *jinja_get_string(Jinja *jinja, const Mapping *mapping, const char *key) {
    return jinja_get(jinja, mapping, jinja_from_string(jinja, key));
}

/* --- going through --- */

bool jinja_is_iterable(Value value) {
    return value.kind == VALUE_UNDEFINED || value.kind == VALUE_TEXT ||
           (value.kind >= VALUE_LIST && value.kind <= VALUE_ITERATOR);
}

static List *characters(Jinja *jinja, Text text) {
    List *list = jinja_list(jinja);
    uint32_t c;
    for (size_t at = 0, length; (length = jinja_character(text, at, &c)); at += length)
        jinja_add(jinja, list, jinja_from_text(jinja, jinja_part(text, at, at + length)));
    return list;
}

static List *keys(Jinja *jinja, const Mapping *mapping) {
    List *list = jinja_list(jinja);
    for (size_t i = 0; i < mapping->count; i++)
        jinja_add(jinja, list, mapping->entries[i].key);
    return list;
}

static List *take_rest(Jinja *jinja, List *iterator) {
    List *rest = jinja_list(jinja);
    rest->count = iterator->count - iterator->next;
    if (rest->count > 0) rest->items = iterator->items + iterator->next;
    iterator->next = iterator->count;
    return rest;
}

const List *jinja_elements(Jinja *jinja, Value value) {
    switch (value.kind) {
    case VALUE_UNDEFINED:
        return jinja_list(jinja);
    case VALUE_TEXT:
        return characters(jinja, *value.text);
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_RANGE:
    case VALUE_VIEW:
        return value.list;
    case VALUE_MAPPING:
        return keys(jinja, value.mapping);
    case VALUE_ITERATOR:
        return take_rest(jinja, value.list);
    case VALUE_LOOP:
        jinja_fail(jinja, "going through the variable \"loop\" is not supported");
    default:
        jinja_fail(jinja, "%s has no elements to go through", jinja_kind_name(value));
    }
}

int64_t jinja_size(Jinja *jinja, Value value) {
    switch (value.kind) {
    case VALUE_UNDEFINED:
        return 0;
    case VALUE_TEXT:
        return (int64_t)jinja_length(jinja, *value.text);
    case VALUE_MAPPING:
        return (int64_t)value.mapping->count;
    case VALUE_LOOP:
        return (int64_t)value.loop->items->count;
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_RANGE:
    case VALUE_VIEW:
        return (int64_t)value.list->count;
    default:
        return -1;
    }
}

/* --- sorting: merge sort, as a failing comparison leaves it without a trace --- */

typedef struct Keyed {
    Value item, key;
} Keyed;

static void merge(Jinja *jinja, Keyed *from, size_t middle, size_t count, Keyed *to, int sign) {
    size_t left = 0, right = middle;
    for (size_t i = 0; i < count; i++) {
        bool take_right =
            left == middle ||
            (right < count && sign * jinja_compare(jinja, from[right].key, from[left].key) < 0);
        to[i] = take_right ? from[right++] : from[left++];
    }
}

static void sort(Jinja *jinja, Keyed *keyed, size_t count, Keyed *spare, int sign) {
    if (count < 2) return;
    size_t middle = count / 2;
    sort(jinja, keyed, middle, spare, sign);
    sort(jinja, keyed + middle, count - middle, spare, sign);
    memcpy(spare, keyed, count * sizeof *keyed);
    merge(jinja, spare, middle, count, keyed, sign);
}

void jinja_sort(Jinja *jinja, Value *items, Value *sort_keys, size_t count, bool reverse) {
    Keyed *keyed = jinja_allocate(jinja, 2 * count * sizeof *keyed);
    for (size_t i = 0; i < count; i++)
        keyed[i] = (Keyed){items[i], sort_keys[i]};
    sort(jinja, keyed, count, keyed + count, reverse ? -1 : 1);
    for (size_t i = 0; i < count; i++)
        items[i] = keyed[i].item;
}
