/* print.c — values as text: Python's str() and repr(). */
#include "jinja.h"

#include <inttypes.h>
#include <stdio.h>

static void append_repr(TextBuilder *, Value);

static void append_escape(TextBuilder *builder, uint32_t c, Origin origin) {
    char escape[12];
    const char *format = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
    int size = c == '\n'   ? sprintf(escape, "\\n")
               : c == '\r' ? sprintf(escape, "\\r")
               : c == '\t' ? sprintf(escape, "\\t")
                           : sprintf(escape, format, c);
    jinja_append_bytes(builder, escape, (size_t)size, origin);
}

/* In single quotes, unless there are single and no double ones in it. */
static void append_quoted(TextBuilder *builder, Text text) {
    Text single = jinja_literal(builder->jinja, "'"), twice = jinja_literal(builder->jinja, "\"");
    bool has_single = jinja_find(builder->jinja, text, single, 0) != NOT_FOUND;
    bool has_double = jinja_find(builder->jinja, text, twice, 0) != NOT_FOUND;
    char quote = has_single && !has_double ? '"' : '\'';
    jinja_append_bytes(builder, &quote, 1, FROM_TEMPLATE);
    uint32_t c;
    for (size_t at = 0, length; (length = jinja_character(text, at, &c)); at += length) {
        Origin origin = text.origins[at];
        if (c == (uint32_t)quote || c == '\\') jinja_append_bytes(builder, "\\", 1, origin);
        jinja_charge(builder->jinja, c < 0x80 ? 0 : 256);
        if (jinja_is_printable(c))
            jinja_append(builder, jinja_part(text, at, at + length));
        else
            append_escape(builder, c, origin);
    }
    jinja_append_bytes(builder, &quote, 1, FROM_TEMPLATE);
}

static void append_items(TextBuilder *builder, const List *list) {
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0) jinja_append_string(builder, ", ");
        append_repr(builder, list->items[i]);
    }
}

static void append_mapping(TextBuilder *builder, const Mapping *mapping) {
    jinja_append_string(builder, "{");
    for (size_t i = 0; i < mapping->count; i++) {
        if (i > 0) jinja_append_string(builder, ", ");
        append_repr(builder, mapping->entries[i].key);
        jinja_append_string(builder, ": ");
        append_repr(builder, mapping->entries[i].value);
    }
    jinja_append_string(builder, "}");
}

static void append_range(TextBuilder *builder, const List *range) {
    char text[80];
    if (range->step == 1)
        sprintf(text, "range(%" PRId64 ", %" PRId64 ")", range->start, range->stop);
    else
        sprintf(text, "range(%" PRId64 ", %" PRId64 ", %" PRId64 ")", range->start, range->stop,
                range->step);
    jinja_append_string(builder, text);
}

static void append_number(TextBuilder *builder, Value value) {
    char text[40];
    if (value.kind == VALUE_FLOAT)
        jinja_format_float(value.number, text);
    else
        sprintf(text, "%" PRId64, value.integer);
    jinja_append_string(builder, text);
}

static void append_any(TextBuilder *builder, Value value) {
    switch (value.kind) {
    case VALUE_UNDEFINED:
        jinja_append_string(builder, "Undefined");
        return;
    case VALUE_NONE:
        jinja_append_string(builder, "None");
        return;
    case VALUE_BOOLEAN:
        jinja_append_string(builder, value.boolean ? "True" : "False");
        return;
    case VALUE_INTEGER:
    case VALUE_FLOAT:
        append_number(builder, value);
        return;
    case VALUE_TEXT:
        if (value.text->safe) jinja_append_string(builder, "Markup(");
        append_quoted(builder, *value.text);
        if (value.text->safe) jinja_append_string(builder, ")");
        return;
    case VALUE_LIST:
        jinja_append_string(builder, "[");
        append_items(builder, value.list);
        jinja_append_string(builder, "]");
        return;
    case VALUE_TUPLE:
        jinja_append_string(builder, "(");
        append_items(builder, value.list);
        jinja_append_string(builder, value.list->count == 1 ? ",)" : ")");
        return;
    case VALUE_MAPPING:
        append_mapping(builder, value.mapping);
        return;
    case VALUE_RANGE:
        append_range(builder, value.list);
        return;
    case VALUE_VIEW:
        jinja_append_string(builder, value.list->label);
        jinja_append_string(builder, "([");
        append_items(builder, value.list);
        jinja_append_string(builder, "])");
        return;
    default:
        jinja_fail(builder->jinja, "%s cannot be written as text", jinja_kind_name(value));
    }
}

static void append_repr(TextBuilder *builder, Value value) {
    jinja_enter(builder->jinja);
    append_any(builder, value);
    jinja_leave(builder->jinja);
}

void jinja_append_value(TextBuilder *builder, Value value) {
    if (value.kind == VALUE_TEXT)
        jinja_append(builder, *value.text);
    else if (value.kind != VALUE_UNDEFINED)
        append_repr(builder, value);
}

Text jinja_print(Jinja *jinja, Value value) {
    if (value.kind == VALUE_TEXT) return *value.text;
    TextBuilder builder = jinja_builder(jinja);
    jinja_append_value(&builder, value);
    return jinja_built(&builder);
}

Text jinja_repr(Jinja *jinja, Value value) {
    TextBuilder builder = jinja_builder(jinja);
    append_repr(&builder, value);
    return jinja_built(&builder);
}
