/* json.c — JSON into values, and values into JSON as Python's json.dumps writes it.
 *
 * Not cJSON: it has one kind of number, where a template tells 1 from 1.0, and drops what follows a
 * \u0000. */
#include "jinja.h"

#include <string.h>

/* --- reading --- */

typedef struct Reader {
    Jinja *jinja;
    const char *name, *text;
    size_t size, at;
} Reader;

static Value read_value(Reader *);

_Noreturn static void reject(Reader *reader, const char *what) {
    jinja_refuse(reader->jinja, "%s: %s at byte %zu of its JSON", reader->name, what, reader->at);
}

static int peek(const Reader *reader) {
    return reader->at < reader->size ? (unsigned char)reader->text[reader->at] : -1;
}

static void skip_space(Reader *reader) {
    while (reader->at < reader->size && strchr(" \t\r\n", peek(reader)) && peek(reader))
        reader->at++;
}

static bool take(Reader *reader, char c) {
    skip_space(reader);
    if (peek(reader) != c) return false;
    reader->at++;
    return true;
}

static bool take_word(Reader *reader, const char *word) {
    size_t size = strlen(word);
    if (reader->size - reader->at < size || memcmp(reader->text + reader->at, word, size) != 0)
        return false;
    reader->at += size;
    return true;
}

static uint32_t read_hexadecimal(Reader *reader) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++, reader->at++) {
        int c = peek(reader) | 0x20;
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint32_t)(c - 'a' + 10);
        else
            reject(reader, "\\u without four digits");
    }
    return value;
}

/* What follows \u: a character, or the two halves of one beyond U+FFFF. */
static uint32_t read_escaped_character(Reader *reader) {
    uint32_t high = read_hexadecimal(reader);
    if (high < 0xD800 || high > 0xDFFF) return high;
    uint32_t low = high < 0xDC00 && take_word(reader, "\\u") ? read_hexadecimal(reader) : 0;
    if (low < 0xDC00 || low > 0xDFFF) reject(reader, "half a surrogate pair");
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

static void read_escape(Reader *reader, TextBuilder *builder) {
    static const char escapes[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    int c = peek(reader);
    reader->at++;
    const char *escape = c > 0 ? strchr(escapes, c) : NULL;
    if (escape)
        jinja_append_bytes(builder, bytes + (escape - escapes), 1, FROM_INPUT);
    else if (c == 'u')
        jinja_append_character(builder, read_escaped_character(reader), FROM_INPUT);
    else
        reject(reader, "an unknown escape");
}

static Value read_text(Reader *reader) {
    TextBuilder builder = jinja_builder(reader->jinja);
    reader->at++;
    for (;;) {
        size_t start = reader->at;
        while (peek(reader) >= ' ' && peek(reader) != '"' && peek(reader) != '\\')
            reader->at++;
        jinja_append_bytes(&builder, reader->text + start, reader->at - start, FROM_INPUT);
        int c = peek(reader);
        if (c != '"' && c != '\\') reject(reader, "a text without an end");
        reader->at++;
        if (c == '"') return jinja_from_text(reader->jinja, jinja_built(&builder));
        read_escape(reader, &builder);
    }
}

static size_t skip_digits(Reader *reader) {
    size_t start = reader->at;
    while (peek(reader) >= '0' && peek(reader) <= '9')
        reader->at++;
    return reader->at - start;
}

static Value read_number(Reader *reader) {
    size_t start = reader->at;
    bool whole = true;
    if (peek(reader) == '-') reader->at++;
    bool zero = peek(reader) == '0';
    size_t digits = skip_digits(reader);
    if (digits == 0 || (zero && digits > 1)) reject(reader, "no value");
    if (peek(reader) == '.') {
        whole = false;
        reader->at++;
        if (skip_digits(reader) == 0) reject(reader, "a number without its fraction");
    }
    if ((peek(reader) | 0x20) == 'e') {
        whole = false;
        reader->at++;
        if (peek(reader) == '+' || peek(reader) == '-') reader->at++;
        if (skip_digits(reader) == 0) reject(reader, "a number without its exponent");
    }
    Text text = jinja_text(reader->jinja, reader->text + start, reader->at - start, FROM_INPUT);
    int64_t integer = 0;
    double number = 0;
    if (whole && jinja_parse_integer(reader->jinja, text, 10, &integer))
        return jinja_integer(integer);
    jinja_parse_float(reader->jinja, text, &number);
    return jinja_float(number);
}

static Value read_list(Reader *reader) {
    List *list = jinja_list(reader->jinja);
    reader->at++;
    if (take(reader, ']')) return jinja_from_list(VALUE_LIST, list);
    do
        jinja_add(reader->jinja, list, read_value(reader));
    while (take(reader, ','));
    if (!take(reader, ']')) reject(reader, "a list without an end");
    return jinja_from_list(VALUE_LIST, list);
}

static Value read_mapping(Reader *reader) {
    Mapping *mapping = jinja_mapping(reader->jinja);
    reader->at++;
    if (take(reader, '}')) return jinja_from_mapping(mapping);
    do {
        skip_space(reader);
        if (peek(reader) != '"') reject(reader, "a member without a key");
        Value key = read_text(reader);
        if (!take(reader, ':')) reject(reader, "a key without a value");
        jinja_put(reader->jinja, mapping, key, read_value(reader));
    } while (take(reader, ','));
    if (!take(reader, '}')) reject(reader, "an object without an end");
    return jinja_from_mapping(mapping);
}

static Value read_any(Reader *reader) {
    switch (peek(reader)) {
    case '{':
        return read_mapping(reader);
    case '[':
        return read_list(reader);
    case '"':
        return read_text(reader);
    case 'n':
        if (take_word(reader, "null")) return jinja_none();
        break;
    case 't':
        if (take_word(reader, "true")) return jinja_boolean(true);
        break;
    case 'f':
        if (take_word(reader, "false")) return jinja_boolean(false);
        break;
    default:
        return read_number(reader);
    }
    reject(reader, "no value");
}

static Value read_value(Reader *reader) {
    skip_space(reader);
    jinja_enter(reader->jinja);
    Value value = read_any(reader);
    jinja_leave(reader->jinja);
    return value;
}

Value jinja_parse_json(Jinja *jinja, const char *text, size_t size, const char *name) {
    Reader reader = {jinja, name, text, size, 0};
    Value value = read_value(&reader);
    skip_space(&reader);
    if (reader.at < size) reject(&reader, "something after the value");
    return value;
}

/* --- writing --- */

static void write_value(TextBuilder *, Value, const JsonStyle *, size_t level);

static void append_unit(TextBuilder *builder, uint32_t unit, Origin origin) {
    static const char digits[] = "0123456789abcdef";
    char escape[] = {'\\',
                     'u',
                     digits[unit >> 12],
                     digits[unit >> 8 & 15],
                     digits[unit >> 4 & 15],
                     digits[unit & 15]};
    jinja_append_bytes(builder, escape, sizeof escape, origin);
}

static void write_character(TextBuilder *builder, Text part, uint32_t c, bool ascii) {
    static const char escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    Origin origin = part.origins[0];
    const char *found = c && c < 0x80 ? strchr(escaped, (int)c) : NULL;
    if (found) {
        char escape[] = {'\\', letters[found - escaped]};
        jinja_append_bytes(builder, escape, sizeof escape, origin);
    } else if (c < ' ' || (ascii && c >= 0x7F && c < 0x10000))
        append_unit(builder, c, origin);
    else if (ascii && c >= 0x10000 && c != UINT32_MAX) {
        append_unit(builder, 0xD800 + ((c - 0x10000) >> 10), origin);
        append_unit(builder, 0xDC00 + ((c - 0x10000) & 0x3FF), origin);
    } else
        jinja_append(builder, part);
}

static void write_text(TextBuilder *builder, Text text, bool ascii) {
    uint32_t c;
    jinja_append_string(builder, "\"");
    for (size_t at = 0, length; (length = jinja_character(text, at, &c)); at += length)
        write_character(builder, jinja_part(text, at, at + length), c, ascii);
    jinja_append_string(builder, "\"");
}

static void write_float(TextBuilder *builder, double number) {
    char text[40];
    jinja_format_float(number, text);
    bool negative = text[0] == '-';
    if (text[negative] == 'i')
        strcpy(text, negative ? "-Infinity" : "Infinity");
    else if (text[0] == 'n')
        strcpy(text, "NaN");
    jinja_append_string(builder, text);
}

static void write_line(TextBuilder *builder, const JsonStyle *style, size_t level) {
    if (!style->lines) return;
    jinja_append_string(builder, "\n");
    for (size_t i = 0; i < level; i++)
        jinja_append(builder, style->indent);
}

static void write_list(TextBuilder *builder, const List *list, const JsonStyle *style,
                       size_t level) {
    jinja_append_string(builder, "[");
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0) jinja_append(builder, style->between);
        write_line(builder, style, level + 1);
        write_value(builder, list->items[i], style, level + 1);
    }
    if (list->count > 0) write_line(builder, style, level);
    jinja_append_string(builder, "]");
}

/* Keys that are no texts become their JSON. */
static void write_key(TextBuilder *builder, Value key, const JsonStyle *style) {
    if (key.kind == VALUE_TEXT) {
        write_text(builder, *key.text, style->ascii);
        return;
    }
    if (!jinja_is_number(key) && key.kind != VALUE_NONE)
        jinja_fail(builder->jinja, "%s cannot be a key in JSON", jinja_kind_name(key));
    jinja_append_string(builder, "\"");
    write_value(builder, key, style, 0);
    jinja_append_string(builder, "\"");
}

static void sort_entries(Jinja *jinja, List *entries, const Mapping *mapping) {
    Value *keys = jinja_allocate(jinja, (mapping->count + 1) * sizeof *keys);
    for (size_t i = 0; i < mapping->count; i++)
        keys[i] = mapping->entries[i].key;
    jinja_sort(jinja, entries->items, keys, entries->count, false);
}

static void write_mapping(TextBuilder *builder, const Mapping *mapping, const JsonStyle *style,
                          size_t level) {
    Jinja *jinja = builder->jinja;
    List *entries = jinja_list(jinja);
    for (size_t i = 0; i < mapping->count; i++)
        jinja_add(jinja, entries,
                  jinja_pair(jinja, mapping->entries[i].key, mapping->entries[i].value));
    if (style->sorted) sort_entries(jinja, entries, mapping);
    jinja_append_string(builder, "{");
    for (size_t i = 0; i < entries->count; i++) {
        if (i > 0) jinja_append(builder, style->between);
        write_line(builder, style, level + 1);
        write_key(builder, entries->items[i].list->items[0], style);
        jinja_append(builder, style->after_key);
        write_value(builder, entries->items[i].list->items[1], style, level + 1);
    }
    if (entries->count > 0) write_line(builder, style, level);
    jinja_append_string(builder, "}");
}

static void write_any(TextBuilder *builder, Value value, const JsonStyle *style, size_t level) {
    switch (value.kind) {
    case VALUE_NONE:
        jinja_append_string(builder, "null");
        return;
    case VALUE_BOOLEAN:
        jinja_append_string(builder, value.boolean ? "true" : "false");
        return;
    case VALUE_INTEGER:
        jinja_append_value(builder, value);
        return;
    case VALUE_FLOAT:
        write_float(builder, value.number);
        return;
    case VALUE_TEXT:
        write_text(builder, *value.text, style->ascii);
        return;
    case VALUE_LIST:
    case VALUE_TUPLE:
        write_list(builder, value.list, style, level);
        return;
    case VALUE_MAPPING:
        write_mapping(builder, value.mapping, style, level);
        return;
    case VALUE_UNDEFINED:
        jinja_fail(builder->jinja, "%s, so it cannot be written as JSON", value.missing);
    default:
        jinja_fail(builder->jinja, "%s cannot be written as JSON", jinja_kind_name(value));
    }
}

static void write_value(TextBuilder *builder, Value value, const JsonStyle *style, size_t level) {
    jinja_enter(builder->jinja);
    write_any(builder, value, style, level);
    jinja_leave(builder->jinja);
}

Text jinja_to_json(Jinja *jinja, Value value, const JsonStyle *style) {
    TextBuilder builder = jinja_builder(jinja);
    write_value(&builder, value, style, 0);
    return jinja_built(&builder);
}
