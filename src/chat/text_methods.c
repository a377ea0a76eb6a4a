/* text_methods.c — the methods of Python's str. */
#include "jinja.h"

#include <string.h>

static Value from_text(Jinja *jinja, Text text) {
    return jinja_from_text(jinja, text);
}

/* --- letters --- */

#define CHANGE(name)                                                                               \
    static Value method_##name(Jinja *jinja, Value subject, const Arguments *arguments) {          \
        (void)arguments;                                                                           \
        return from_text(jinja, jinja_##name(jinja, *subject.text));                               \
    }

CHANGE(upper)
CHANGE(lower)
CHANGE(capitalize)
CHANGE(title_words)
CHANGE(swap_case)

#define QUESTION(name)                                                                             \
    static Value method_##name(Jinja *jinja, Value subject, const Arguments *arguments) {          \
        (void)arguments;                                                                           \
        return jinja_boolean(jinja_##name(jinja, *subject.text));                                  \
    }

QUESTION(is_upper)
QUESTION(is_lower)
QUESTION(is_title)

static bool is_ascii(uint32_t c) {
    return c < 0x80;
}

static Value all_are(Jinja *jinja, Text text, bool (*is)(uint32_t), bool if_empty) {
    uint32_t c;
    for (size_t at = 0, length; (length = jinja_character(text, at, &c)); at += length) {
        jinja_charge(jinja, c < 0x80 ? 0 : 1024);
        if (!is(c)) return jinja_boolean(false);
    }
    return jinja_boolean(text.size > 0 || if_empty);
}

#define ALL_ARE(name, if_empty)                                                                    \
    static Value method_all_##name(Jinja *jinja, Value subject, const Arguments *arguments) {      \
        (void)arguments;                                                                           \
        return all_are(jinja, *subject.text, name, if_empty);                                      \
    }

ALL_ARE(jinja_is_alpha, false)
ALL_ARE(jinja_is_alphanumeric, false)
ALL_ARE(jinja_is_decimal, false)
ALL_ARE(jinja_is_digit, false)
ALL_ARE(jinja_is_numeric, false)
ALL_ARE(jinja_is_space, false)
ALL_ARE(is_ascii, true)

/* --- white space, prefixes, suffixes --- */

static bool given(Value value) {
    return value.kind != VALUE_ABSENT && value.kind != VALUE_NONE;
}

static Value strip(Jinja *jinja, Value subject, const Arguments *arguments, Sides sides) {
    Text set = {0};
    bool any = !given(arguments->positional[0]);
    if (!any) set = jinja_want_text(jinja, arguments->positional[0], "what is stripped");
    return from_text(jinja, jinja_strip(jinja, *subject.text, any ? NULL : &set, sides));
}

static Value method_strip(Jinja *jinja, Value subject, const Arguments *arguments) {
    return strip(jinja, subject, arguments, LEFT | RIGHT);
}

static Value method_left_strip(Jinja *jinja, Value subject, const Arguments *arguments) {
    return strip(jinja, subject, arguments, LEFT);
}

static Value method_right_strip(Jinja *jinja, Value subject, const Arguments *arguments) {
    return strip(jinja, subject, arguments, RIGHT);
}

/* Text[start:end] of the arguments `first` and the next; false if start lies beyond the end, where
 * Python finds not even an empty text. */
static bool cut(Jinja *jinja, Text *text, const Value *argument, int first) {
    Value start = argument[first], end = argument[first + 1];
    if (!given(start) && !given(end)) return true;
    int64_t from = given(start) ? jinja_want_integer(jinja, start, "a start", 0) : 0;
    if (from > (int64_t)jinja_length(jinja, *text)) return false;
    *text = *jinja_slice(jinja, from_text(jinja, *text), start, end, jinja_none()).text;
    return true;
}

typedef bool Match(Text, Text);

/* Whether the text begins or ends with an argument, or with one of several. */
static Value matches(Jinja *jinja, Value subject, const Arguments *arguments, Match *match) {
    Value wanted = arguments->positional[0];
    Text text = *subject.text;
    if (!cut(jinja, &text, arguments->positional, 1)) return jinja_boolean(false);
    if (wanted.kind != VALUE_TUPLE)
        return jinja_boolean(match(text, jinja_want_text(jinja, wanted, "a prefix or suffix")));
    bool any = false;
    for (size_t i = 0; i < wanted.list->count && !any; i++)
        any = match(text, jinja_want_text(jinja, wanted.list->items[i], "a prefix or suffix"));
    return jinja_boolean(any);
}

static Value method_starts_with(Jinja *jinja, Value subject, const Arguments *arguments) {
    return matches(jinja, subject, arguments, jinja_starts_with);
}

static Value method_ends_with(Jinja *jinja, Value subject, const Arguments *arguments) {
    return matches(jinja, subject, arguments, jinja_ends_with);
}

static Value method_remove_prefix(Jinja *jinja, Value subject, const Arguments *arguments) {
    Text prefix = jinja_want_text(jinja, arguments->positional[0], "a prefix");
    Text text = *subject.text;
    if (jinja_starts_with(text, prefix)) text = jinja_part(text, prefix.size, text.size);
    return from_text(jinja, text);
}

static Value method_remove_suffix(Jinja *jinja, Value subject, const Arguments *arguments) {
    Text suffix = jinja_want_text(jinja, arguments->positional[0], "a suffix");
    Text text = *subject.text;
    if (jinja_ends_with(text, suffix)) text = jinja_part(text, 0, text.size - suffix.size);
    return from_text(jinja, text);
}

/* --- finding and counting, in characters --- */

static Value find(Jinja *jinja, Value subject, const Arguments *arguments, bool last) {
    Text text = *subject.text, part = jinja_want_text(jinja, arguments->positional[0], "a part");
    if (!cut(jinja, &text, arguments->positional, 1)) return jinja_integer(-1);
    ptrdiff_t found = last ? jinja_find_last(jinja, text, part) : jinja_find(jinja, text, part, 0);
    if (found == NOT_FOUND) return jinja_integer(-1);
    size_t before = (size_t)(text.bytes - subject.text->bytes) + (size_t)found;
    Text head = jinja_part(*subject.text, 0, before);
    return jinja_integer((int64_t)jinja_length(jinja, head));
}

static Value method_find(Jinja *jinja, Value subject, const Arguments *arguments) {
    return find(jinja, subject, arguments, false);
}

static Value method_find_last(Jinja *jinja, Value subject, const Arguments *arguments) {
    return find(jinja, subject, arguments, true);
}

static Value must_find(Jinja *jinja, Value found) {
    if (found.integer < 0) jinja_fail(jinja, "the part is not in the text");
    return found;
}

static Value method_index(Jinja *jinja, Value subject, const Arguments *arguments) {
    return must_find(jinja, find(jinja, subject, arguments, false));
}

static Value method_index_last(Jinja *jinja, Value subject, const Arguments *arguments) {
    return must_find(jinja, find(jinja, subject, arguments, true));
}

static Value method_count(Jinja *jinja, Value subject, const Arguments *arguments) {
    Text text = *subject.text, part = jinja_want_text(jinja, arguments->positional[0], "a part");
    int64_t count = 0;
    if (!cut(jinja, &text, arguments->positional, 1)) return jinja_integer(0);
    if (part.size == 0) return jinja_integer((int64_t)jinja_length(jinja, text) + 1);
    for (ptrdiff_t at = 0; (at = jinja_find(jinja, text, part, (size_t)at)) != NOT_FOUND; count++)
        at += (ptrdiff_t)part.size;
    return jinja_integer(count);
}

/* --- splitting and joining --- */

static void add_part(Jinja *jinja, List *list, Text text, size_t from, size_t to) {
    jinja_add(jinja, list, from_text(jinja, jinja_part(text, from, to)));
}

static size_t skip(Text text, size_t at, bool space) {
    uint32_t c;
    size_t length;
    while ((length = jinja_character(text, at, &c)) && jinja_is_space(c) == space)
        at += length;
    return at;
}

/* At white space, of which any amount is one separator. */
static List *split_words(Jinja *jinja, Text text, int64_t most) {
    List *list = jinja_list(jinja);
    jinja_charge(jinja, text.size);
    for (size_t at = skip(text, 0, true); at < text.size;) {
        size_t end = skip(text, at, false);
        if (most-- == 0) {
            add_part(jinja, list, text, at, text.size);
            return list;
        }
        add_part(jinja, list, text, at, end);
        at = skip(text, end, true);
    }
    return list;
}

static List *split_at(Jinja *jinja, Text text, Text separator, int64_t most) {
    List *list = jinja_list(jinja);
    size_t at = 0;
    for (ptrdiff_t found; most != 0; most -= most > 0) {
        found = jinja_find(jinja, text, separator, at);
        if (found == NOT_FOUND) break;
        add_part(jinja, list, text, at, (size_t)found);
        at = (size_t)found + separator.size;
    }
    add_part(jinja, list, text, at, text.size);
    return list;
}

/* Where the last word of text[0 … end) begins; it ends at `end`. */
static size_t word_start(Jinja *jinja, Text text, size_t end) {
    size_t start = 0;
    jinja_charge(jinja, end);
    for (size_t at = 0; at < end;) {
        size_t next = skip(text, at, false);
        if (next >= end) return at;
        at = start = skip(text, next, true);
    }
    return start;
}

static void reverse(List *list) {
    for (size_t i = 0; i < list->count / 2; i++) {
        Value swapped = list->items[i];
        list->items[i] = list->items[list->count - 1 - i];
        list->items[list->count - 1 - i] = swapped;
    }
}

/* The same from the right, where only `most` cuts are made. */
static List *split_words_right(Jinja *jinja, Text text, int64_t most) {
    List *list = jinja_list(jinja);
    text = jinja_strip(jinja, text, NULL, RIGHT);
    for (; text.size > 0 && most-- != 0; text = jinja_strip(jinja, text, NULL, RIGHT)) {
        size_t start = word_start(jinja, text, text.size);
        add_part(jinja, list, text, start, text.size);
        text = jinja_part(text, 0, start);
    }
    if (text.size > 0) add_part(jinja, list, text, 0, text.size);
    reverse(list);
    return list;
}

static List *split_at_right(Jinja *jinja, Text text, Text separator, int64_t most) {
    List *list = jinja_list(jinja);
    for (ptrdiff_t found; most != 0; most -= most > 0) {
        found = jinja_find_last(jinja, text, separator);
        if (found == NOT_FOUND) break;
        add_part(jinja, list, text, (size_t)found + separator.size, text.size);
        text = jinja_part(text, 0, (size_t)found);
    }
    add_part(jinja, list, text, 0, text.size);
    reverse(list);
    return list;
}

static Value split(Jinja *jinja, Value subject, const Arguments *arguments, bool right) {
    Value separator = arguments->positional[0];
    int64_t most = jinja_want_integer(jinja, arguments->positional[1], "maxsplit", -1);
    List *list;
    if (!given(separator))
        list = right && most >= 0 ? split_words_right(jinja, *subject.text, most)
                                  : split_words(jinja, *subject.text, most);
    else {
        Text text = jinja_want_text(jinja, separator, "a separator");
        if (text.size == 0) jinja_fail(jinja, "a text cannot be split at nothing");
        list = right && most >= 0 ? split_at_right(jinja, *subject.text, text, most)
                                  : split_at(jinja, *subject.text, text, most);
    }
    return jinja_from_list(VALUE_LIST, list);
}

static Value method_split(Jinja *jinja, Value subject, const Arguments *arguments) {
    return split(jinja, subject, arguments, false);
}

static Value method_split_right(Jinja *jinja, Value subject, const Arguments *arguments) {
    return split(jinja, subject, arguments, true);
}

static bool ends_line(uint32_t c) {
    return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

static Value method_split_lines(Jinja *jinja, Value subject, const Arguments *arguments) {
    bool keep = jinja_want_boolean(arguments->positional[0], false);
    Text text = *subject.text;
    List *list = jinja_list(jinja);
    size_t start = 0, length;
    uint32_t c;
    jinja_charge(jinja, text.size);
    for (size_t at = 0; (length = jinja_character(text, at, &c));) {
        size_t end = at;
        at += length;
        if (!ends_line(c)) continue;
        if (c == '\r' && at < text.size && text.bytes[at] == '\n') at++;
        add_part(jinja, list, text, start, keep ? at : end);
        start = at;
    }
    if (start < text.size) add_part(jinja, list, text, start, text.size);
    return jinja_from_list(VALUE_LIST, list);
}

static Value method_partition(Jinja *jinja, Value subject, const Arguments *arguments) {
    Text text = *subject.text;
    Text separator = jinja_want_text(jinja, arguments->positional[0], "a separator");
    if (separator.size == 0) jinja_fail(jinja, "a text cannot be split at nothing");
    ptrdiff_t found = jinja_find(jinja, text, separator, 0);
    size_t from = found == NOT_FOUND ? text.size : (size_t)found;
    size_t to = found == NOT_FOUND ? text.size : from + separator.size;
    List *list = jinja_list(jinja);
    add_part(jinja, list, text, 0, from);
    add_part(jinja, list, text, from, to);
    add_part(jinja, list, text, to, text.size);
    return jinja_from_list(VALUE_TUPLE, list);
}

static Value method_partition_right(Jinja *jinja, Value subject, const Arguments *arguments) {
    Text text = *subject.text;
    Text separator = jinja_want_text(jinja, arguments->positional[0], "a separator");
    if (separator.size == 0) jinja_fail(jinja, "a text cannot be split at nothing");
    ptrdiff_t found = jinja_find_last(jinja, text, separator);
    size_t from = found == NOT_FOUND ? 0 : (size_t)found;
    size_t to = found == NOT_FOUND ? 0 : from + separator.size;
    List *list = jinja_list(jinja);
    add_part(jinja, list, text, 0, from);
    add_part(jinja, list, text, from, to);
    add_part(jinja, list, text, to, text.size);
    return jinja_from_list(VALUE_TUPLE, list);
}

static Value method_join(Jinja *jinja, Value subject, const Arguments *arguments) {
    const List *items = jinja_elements(jinja, arguments->positional[0]);
    TextBuilder builder = jinja_builder(jinja);
    for (size_t i = 0; i < items->count; i++) {
        if (i > 0) jinja_append(&builder, *subject.text);
        jinja_append(&builder, jinja_want_text(jinja, items->items[i], "what is joined"));
    }
    return from_text(jinja, jinja_built(&builder));
}

static Value method_replace(Jinja *jinja, Value subject, const Arguments *arguments) {
    const Value *argument = arguments->positional;
    Text old = jinja_want_text(jinja, argument[0], "what is replaced");
    Text new = jinja_want_text(jinja, argument[1], "what replaces it");
    int64_t count = jinja_want_integer(jinja, argument[2], "count", -1);
    return from_text(jinja, jinja_replace(jinja, *subject.text, old, new, count));
}

/* --- to a width --- */

/* With `left` and `right` fillings around it. */
static Value pad(Jinja *jinja, Text text, Value filling, int64_t left, int64_t right) {
    Text fill = jinja_literal(jinja, " ");
    if (filling.kind != VALUE_ABSENT) fill = jinja_want_text(jinja, filling, "a filling");
    if (jinja_length(jinja, fill) != 1) jinja_fail(jinja, "a filling is one character");
    Text padded = jinja_concatenate(jinja, jinja_repeat(jinja, fill, left), text);
    return from_text(jinja, jinja_concatenate(jinja, padded, jinja_repeat(jinja, fill, right)));
}

static int64_t missing_width(Jinja *jinja, Text text, Value width) {
    int64_t length = (int64_t)jinja_length(jinja, text);
    int64_t wanted = jinja_want_integer(jinja, width, "a width", 0);
    return wanted > length ? wanted - length : 0;
}

static Value method_center(Jinja *jinja, Value subject, const Arguments *arguments) {
    const Value *argument = arguments->positional;
    int64_t missing = missing_width(jinja, *subject.text, argument[0]);
    int64_t width = jinja_want_integer(jinja, argument[0], "a width", 0);
    int64_t left = missing / 2 + (missing & width & 1);
    return pad(jinja, *subject.text, argument[1], left, missing - left);
}

static Value method_left(Jinja *jinja, Value subject, const Arguments *arguments) {
    const Value *argument = arguments->positional;
    return pad(jinja, *subject.text, argument[1], 0,
               missing_width(jinja, *subject.text, argument[0]));
}

static Value method_right(Jinja *jinja, Value subject, const Arguments *arguments) {
    const Value *argument = arguments->positional;
    return pad(jinja, *subject.text, argument[1], missing_width(jinja, *subject.text, argument[0]),
               0);
}

static Value method_zero_fill(Jinja *jinja, Value subject, const Arguments *arguments) {
    Text text = *subject.text, zero = jinja_literal(jinja, "0");
    int64_t missing = missing_width(jinja, text, arguments->positional[0]);
    bool sign = text.size > 0 && (text.bytes[0] == '+' || text.bytes[0] == '-');
    Text head =
        jinja_concatenate(jinja, jinja_part(text, 0, sign), jinja_repeat(jinja, zero, missing));
    return from_text(jinja, jinja_concatenate(jinja, head, jinja_part(text, sign, text.size)));
}

static Value method_format(Jinja *jinja, Value subject, const Arguments *arguments) {
    return from_text(jinja, jinja_format(jinja, *subject.text, arguments));
}

const Builtin jinja_text_methods[] = {
    {"upper", method_upper, ""},
    {"lower", method_lower, ""},
    {"capitalize", method_capitalize, ""},
    {"title", method_title_words, ""},
    {"swapcase", method_swap_case, ""},
    {"isupper", method_is_upper, ""},
    {"islower", method_is_lower, ""},
    {"istitle", method_is_title, ""},
    {"isalpha", method_all_jinja_is_alpha, ""},
    {"isalnum", method_all_jinja_is_alphanumeric, ""},
    {"isdecimal", method_all_jinja_is_decimal, ""},
    {"isdigit", method_all_jinja_is_digit, ""},
    {"isnumeric", method_all_jinja_is_numeric, ""},
    {"isspace", method_all_jinja_is_space, ""},
    {"isascii", method_all_is_ascii, ""},
    {"strip", method_strip, "|chars"},
    {"lstrip", method_left_strip, "|chars"},
    {"rstrip", method_right_strip, "|chars"},
    {"startswith", method_starts_with, "prefix|start end"},
    {"endswith", method_ends_with, "suffix|start end"},
    {"removeprefix", method_remove_prefix, "prefix"},
    {"removesuffix", method_remove_suffix, "suffix"},
    {"find", method_find, "sub|start end"},
    {"rfind", method_find_last, "sub|start end"},
    {"index", method_index, "sub|start end"},
    {"rindex", method_index_last, "sub|start end"},
    {"count", method_count, "sub|start end"},
    {"split", method_split, "|sep maxsplit"},
    {"rsplit", method_split_right, "|sep maxsplit"},
    {"splitlines", method_split_lines, "|keepends"},
    {"partition", method_partition, "sep"},
    {"rpartition", method_partition_right, "sep"},
    {"join", method_join, "iterable"},
    {"replace", method_replace, "old new|count"},
    {"center", method_center, "width|fillchar"},
    {"ljust", method_left, "width|fillchar"},
    {"rjust", method_right, "width|fillchar"},
    {"zfill", method_zero_fill, "width"},
    {"format", method_format, NULL},
    {NULL, NULL, NULL},
};
