/* format.c — texts with places for values: "%s" % value, and "{}".format(value). */
#include "jinja.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

/* --- % --- */

typedef struct Conversion {
    char flags[8];        /* of "-+ #0" */
    int width, precision; /* precision −1: none */
    char kind;
} Conversion;

typedef struct Percent {
    Jinja *jinja;
    Text format;
    size_t at, used; /* values used */
    Value values;
    bool by_name;
} Percent;

static int next_byte(Percent *percent) {
    if (percent->at >= percent->format.size)
        jinja_fail(percent->jinja, "a format ends within a %% conversion");
    return percent->format.bytes[percent->at++];
}

static Value next_value(Percent *percent) {
    bool tuple = percent->values.kind == VALUE_TUPLE;
    size_t count = tuple ? percent->values.list->count : 1;
    if (percent->used >= count) jinja_fail(percent->jinja, "a format has too few values");
    return tuple ? percent->values.list->items[percent->used++]
                 : (percent->used++, percent->values);
}

/* The value that "(name)" asks for. */
static Value named_value(Percent *percent) {
    size_t start = percent->at;
    while (next_byte(percent) != ')') {
    }
    Text name = jinja_part(percent->format, start, percent->at - 1);
    if (percent->values.kind != VALUE_MAPPING)
        jinja_fail(percent->jinja, "a format with names wants a mapping");
    percent->by_name = true;
    const Value *value =
        jinja_get(percent->jinja, percent->values.mapping, jinja_from_text(percent->jinja, name));
    if (!value)
        jinja_fail(percent->jinja, "a format misses its value \"%.*s\"", TEXT_ARGUMENTS(name));
    return *value;
}

static int read_number(Percent *percent) {
    int number = 0;
    while (percent->at < percent->format.size) {
        int c = percent->format.bytes[percent->at];
        if (c < '0' || c > '9') break;
        number = number * 10 + (c - '0');
        if (number > 10000) jinja_fail(percent->jinja, "a format is wider than 10000");
        percent->at++;
    }
    return number;
}

static Conversion read_conversion(Percent *percent) {
    Conversion conversion = {.precision = -1};
    size_t flags = 0;
    int c;
    while ((c = next_byte(percent)) && strchr("-+ #0", c))
        if (!strchr(conversion.flags, c)) conversion.flags[flags++] = (char)c;
    percent->at--;
    conversion.width = read_number(percent);
    if ((c = next_byte(percent)) == '.') {
        conversion.precision = read_number(percent);
        c = next_byte(percent);
    }
    if (c == '*') jinja_fail(percent->jinja, "\"*\" in a format is not supported");
    if (c == 'l' || c == 'h' || c == 'L') c = next_byte(percent);
    conversion.kind = (char)c;
    return conversion;
}

/* By printf, with a point whatever the locale. */
static Text format_number(Percent *percent, const Conversion *conversion, Value value) {
    char format[40], *text;
    Jinja *jinja = percent->jinja;
    bool whole = strchr("diuxXo", conversion->kind) != NULL;
    if (conversion->precision > 300) jinja_fail(jinja, "a format is more precise than 300");
    int capacity = conversion->width + 700;
    text = jinja_allocate(jinja, (size_t)capacity);
    int size = sprintf(format, "%%%s%d", conversion->flags, conversion->width);
    if (conversion->width == 0) size = sprintf(format, "%%%s", conversion->flags);
    if (conversion->precision >= 0) size += sprintf(format + size, ".%d", conversion->precision);
    if (whole) {
        int64_t integer = value.kind == VALUE_FLOAT ? jinja_from_double(jinja, value.number)
                                                    : jinja_as_integer(value);
        bool other_base = strchr("xXo", conversion->kind) != NULL;
        if (other_base && (integer < 0 || strchr(conversion->flags, '#')))
            jinja_fail(jinja, "this number in this base is not supported");
        sprintf(format + size, "ll%c", conversion->kind == 'u' ? 'd' : conversion->kind);
        snprintf(text, (size_t)capacity, format, (long long)integer);
        return jinja_literal(jinja, text);
    }
    sprintf(format + size, "%c", conversion->kind);
    snprintf(text, (size_t)capacity, format, jinja_as_float(value));
    char *point = strstr(text, localeconv()->decimal_point);
    if (point) *point = '.';
    return jinja_literal(jinja, text);
}

/* To its width, at the right or with "-" at the left. */
static void append_padded(TextBuilder *builder, const Conversion *conversion, Text text) {
    int64_t missing = conversion->width - (int64_t)jinja_length(builder->jinja, text);
    bool left = strchr(conversion->flags, '-') != NULL;
    Text space = jinja_literal(builder->jinja, " ");
    if (!left) jinja_append(builder, jinja_repeat(builder->jinja, space, missing));
    jinja_append(builder, text);
    if (left) jinja_append(builder, jinja_repeat(builder->jinja, space, missing));
}

static void append_conversion(Percent *percent, TextBuilder *builder, const Conversion *conversion,
                              Value value) {
    Jinja *jinja = percent->jinja;
    if (conversion->kind == 's' || conversion->kind == 'r' || conversion->kind == 'a') {
        if (conversion->kind == 'a') jinja_fail(jinja, "%%a in a format is not supported");
        bool plain = conversion->kind == 's';
        Text text = plain ? jinja_print(jinja, value) : jinja_repr(jinja, value);
        if (conversion->precision >= 0)
            text = jinja_part(text, 0, jinja_offset(jinja, text, (size_t)conversion->precision));
        append_padded(builder, conversion, text);
        return;
    }
    if (!conversion->kind || !strchr("diuxXoeEfFgG", conversion->kind))
        jinja_fail(jinja, "%%%c in a format is not supported", conversion->kind);
    if (value.kind == VALUE_UNDEFINED) jinja_fail(jinja, "%s", value.missing);
    bool base = strchr("xXo", conversion->kind) != NULL;
    if (!jinja_is_number(value) || (base && value.kind == VALUE_FLOAT))
        jinja_fail(jinja, "%%%c in a format wants a number, not %s", conversion->kind,
                   jinja_kind_name(value));
    jinja_append(builder, format_number(percent, conversion, value));
}

static void append_next(Percent *percent, TextBuilder *builder) {
    Value value = {0};
    if (percent->at < percent->format.size && percent->format.bytes[percent->at] == '(') {
        percent->at++;
        value = named_value(percent);
    }
    Conversion conversion = read_conversion(percent);
    if (conversion.kind == '%') {
        jinja_append(builder, jinja_part(percent->format, percent->at - 1, percent->at));
        return;
    }
    if (value.kind == VALUE_ABSENT) value = next_value(percent);
    append_conversion(percent, builder, &conversion, value);
}

Text jinja_percent(Jinja *jinja, Text format, Value values) {
    Percent percent = {.jinja = jinja, .format = format, .values = values};
    TextBuilder builder = jinja_builder(jinja);
    if (format.safe) jinja_fail(jinja, "a safe text as a format is not supported");
    while (percent.at < format.size) {
        ptrdiff_t found = jinja_find(jinja, format, jinja_literal(jinja, "%"), percent.at);
        size_t end = found == NOT_FOUND ? format.size : (size_t)found;
        jinja_append(&builder, jinja_part(format, percent.at, end));
        percent.at = end + 1;
        if (found != NOT_FOUND) append_next(&percent, &builder);
    }
    bool may_be_unused = values.kind == VALUE_MAPPING || values.kind == VALUE_LIST ||
                         (values.kind == VALUE_TUPLE && percent.used >= values.list->count);
    if (percent.used == 0 && !may_be_unused) jinja_fail(jinja, "a format does not use its value");
    if (values.kind == VALUE_TUPLE && percent.used < values.list->count)
        jinja_fail(jinja, "a format does not use all its values");
    return jinja_built(&builder);
}

/* --- {} --- */

static Value place_value(Jinja *jinja, Text place, const Arguments *arguments, size_t *next) {
    bool number = place.size > 0;
    for (size_t i = 0; i < place.size; i++) {
        int c = place.bytes[i];
        number = number && c >= '0' && c <= '9';
        if (c == '.' || c == '[' || c == ':' || c == '!' || c == '{')
            jinja_fail(jinja, "a format's {%.*s} is not supported: only {}, {0} and {name} are",
                       TEXT_ARGUMENTS(place));
    }
    for (size_t i = 0; i < arguments->named_count && !number; i++)
        if (jinja_text_equal(arguments->named[i].name, place)) return arguments->named[i].value;
    if (place.size > 0 && !number)
        jinja_fail(jinja, "a format misses its value \"%.*s\"", TEXT_ARGUMENTS(place));
    if (*next == SIZE_MAX ? place.size == 0 : *next > 0 && number)
        jinja_fail(jinja, "a format has both {} and {0}");
    int64_t index = 0;
    if (number) jinja_parse_integer(jinja, place, 10, &index);
    size_t at = number ? (size_t)index : *next;
    *next = number ? SIZE_MAX : *next + 1;
    if (at >= arguments->count) jinja_fail(jinja, "a format has too few values");
    return arguments->positional[at];
}

Text jinja_format(Jinja *jinja, Text format, const Arguments *arguments) {
    TextBuilder builder = jinja_builder(jinja);
    size_t next = 0;
    for (size_t at = 0; at < format.size; at++) {
        char c = format.bytes[at];
        bool twice = at + 1 < format.size && format.bytes[at + 1] == c;
        if (c != '{' && c != '}') {
            jinja_append(&builder, jinja_part(format, at, at + 1));
        } else if (twice) {
            jinja_append(&builder, jinja_part(format, at, at + 1));
            at++;
        } else {
            const char *end = memchr(format.bytes + at, '}', format.size - at);
            if (c == '}' || !end) jinja_fail(jinja, "a format has a single '%c'", c);
            size_t close = (size_t)(end - format.bytes);
            Text place = jinja_part(format, at + 1, close);
            jinja_append_value(&builder, place_value(jinja, place, arguments, &next));
            at = close;
        }
    }
    return jinja_built(&builder);
}
