/* text_filters.c — filters that make texts and numbers. */
#include "jinja.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static Value from_text(Jinja *jinja, Text text) {
    return jinja_from_text(jinja, text);
}

/* --- letters and white space --- */

static Value filter_upper(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    return from_text(jinja, jinja_upper(jinja, jinja_print(jinja, subject)));
}

static Value filter_lower(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    return from_text(jinja, jinja_lower(jinja, jinja_print(jinja, subject)));
}

static Value filter_title(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    return from_text(jinja, jinja_title_filter(jinja, jinja_print(jinja, subject)));
}

static Value filter_capitalize(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    return from_text(jinja, jinja_capitalize(jinja, jinja_print(jinja, subject)));
}

static Value filter_trim(Jinja *jinja, Value subject, const Arguments *arguments) {
    Value set = arguments->positional[0];
    Text text = jinja_print(jinja, subject), characters = {0};
    bool any = set.kind == VALUE_ABSENT || set.kind == VALUE_NONE;
    if (!any) characters = jinja_want_text(jinja, set, "what \"trim\" takes away");
    return from_text(jinja, jinja_strip(jinja, text, any ? NULL : &characters, LEFT | RIGHT));
}

static Value filter_center(Jinja *jinja, Value subject, const Arguments *arguments) {
    Value width = jinja_integer(jinja_want_integer(jinja, arguments->positional[0], "width", 80));
    const Builtin *center = jinja_find_builtin(jinja_text_methods, jinja_literal(jinja, "center"));
    return jinja_call_builtin(jinja, center, from_text(jinja, jinja_print(jinja, subject)),
                              &(Arguments){.positional = &width, .count = 1});
}

/* Every line but the first is moved to the right; empty ones only if `blank`. */
static Text indent_lines(Jinja *jinja, const List *lines, Text indention, bool first, bool blank) {
    TextBuilder builder = jinja_builder(jinja);
    for (size_t i = 0; i < lines->count; i++) {
        Text line = *lines->items[i].text;
        if (i > 0) jinja_append_string(&builder, "\n");
        if (i == 0 ? first : blank || line.size > 0) jinja_append(&builder, indention);
        jinja_append(&builder, line);
    }
    return jinja_built(&builder);
}

static Value filter_indent(Jinja *jinja, Value subject, const Arguments *arguments) {
    Value width = arguments->positional[0];
    Text indention = width.kind == VALUE_TEXT
                         ? *width.text
                         : jinja_repeat(jinja, jinja_literal(jinja, " "),
                                        jinja_want_integer(jinja, width, "width", 4));
    Text text = jinja_want_text(jinja, subject, "what \"indent\" moves");
    Text whole = jinja_concatenate(jinja, text, jinja_literal(jinja, "\n"));
    const Builtin *split =
        jinja_find_builtin(jinja_text_methods, jinja_literal(jinja, "splitlines"));
    Value lines = jinja_call_builtin(jinja, split, from_text(jinja, whole), &(Arguments){0});
    return from_text(jinja, indent_lines(jinja, lines.list, indention,
                                         jinja_want_boolean(arguments->positional[1], false),
                                         jinja_want_boolean(arguments->positional[2], false)));
}

static Value filter_truncate(Jinja *jinja, Value subject, const Arguments *arguments) {
    const Value *argument = arguments->positional;
    Text end = argument[2].kind == VALUE_ABSENT ? jinja_literal(jinja, "...")
                                                : jinja_want_text(jinja, argument[2], "end");
    int64_t length = jinja_want_integer(jinja, argument[0], "length", 255);
    int64_t leeway =
        argument[3].kind == VALUE_NONE ? 5 : jinja_want_integer(jinja, argument[3], "leeway", 5);
    int64_t end_length = (int64_t)jinja_length(jinja, end);
    if (length < end_length || leeway < 0) jinja_fail(jinja, "\"truncate\" has no room");
    int64_t size = jinja_size(jinja, subject);
    if (size >= 0 && size <= length + leeway) return subject;
    Text text = jinja_want_text(jinja, subject, "what \"truncate\" shortens");
    Text kept = jinja_part(text, 0, jinja_offset(jinja, text, (size_t)(length - end_length)));
    ptrdiff_t space = jinja_find_last(jinja, kept, jinja_literal(jinja, " "));
    bool cuts_words = jinja_want_boolean(argument[1], false);
    if (!cuts_words && space != NOT_FOUND) kept = jinja_part(kept, 0, (size_t)space);
    return from_text(jinja, jinja_concatenate(jinja, kept, end));
}

static Value filter_word_count(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    Text text = jinja_print(jinja, subject);
    int64_t count = 0;
    bool in_word = false;
    uint32_t c;
    for (size_t at = 0, length; (length = jinja_character(text, at, &c)); at += length) {
        jinja_charge(jinja, c < 0x80 ? 0 : 1024);
        bool of_word = c == '_' || jinja_is_alphanumeric(c);
        count += of_word && !in_word;
        in_word = of_word;
    }
    return jinja_integer(count);
}

/* --- replacing, formatting, escaping --- */

static Value filter_replace(Jinja *jinja, Value subject, const Arguments *arguments) {
    const Value *argument = arguments->positional;
    Text old = jinja_print(jinja, argument[0]), new = jinja_print(jinja, argument[1]);
    int64_t count =
        argument[2].kind == VALUE_NONE ? -1 : jinja_want_integer(jinja, argument[2], "count", -1);
    return from_text(jinja, jinja_replace(jinja, jinja_print(jinja, subject), old, new, count));
}

static Value filter_format(Jinja *jinja, Value subject, const Arguments *arguments) {
    if (arguments->count && arguments->named_count)
        jinja_fail(jinja, "\"format\" takes plain or named arguments, not both");
    List *list = jinja_list(jinja);
    Mapping *mapping = jinja_mapping(jinja);
    for (size_t i = 0; i < arguments->count; i++)
        jinja_add(jinja, list, arguments->positional[i]);
    for (size_t i = 0; i < arguments->named_count; i++)
        jinja_put(jinja, mapping, jinja_from_text(jinja, arguments->named[i].name),
                  arguments->named[i].value);
    Value values =
        arguments->named_count ? jinja_from_mapping(mapping) : jinja_from_list(VALUE_TUPLE, list);
    return from_text(jinja, jinja_percent(jinja, jinja_print(jinja, subject), values));
}

static Value filter_string(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    return subject.kind == VALUE_TEXT ? subject : from_text(jinja, jinja_print(jinja, subject));
}

static Value filter_safe(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    Text text = jinja_print(jinja, subject);
    text.safe = true;
    return from_text(jinja, text);
}

static Value filter_escape(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    static const char special[] = "&<>'\"";
    static const char *const names[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    Text text = jinja_print(jinja, subject);
    if (text.safe) return subject;
    TextBuilder builder = jinja_builder(jinja);
    for (size_t at = 0; at < text.size; at++) {
        const char *found = text.bytes[at] ? strchr(special, text.bytes[at]) : NULL;
        const char *name = found ? names[found - special] : NULL;
        if (name)
            jinja_append_bytes(&builder, name, strlen(name), text.origins[at]);
        else
            jinja_append(&builder, jinja_part(text, at, at + 1));
    }
    Text escaped = jinja_built(&builder);
    escaped.safe = true;
    return from_text(jinja, escaped);
}

/* --- JSON, as transformers has it: nothing is escaped for HTML --- */

static Text separator(Jinja *jinja, Value separators, size_t index, const char *otherwise) {
    if (separators.kind == VALUE_ABSENT || separators.kind == VALUE_NONE)
        return jinja_literal(jinja, otherwise);
    const List *list = jinja_elements(jinja, separators);
    if (list->count != 2) jinja_fail(jinja, "\"tojson\" takes two separators");
    return jinja_want_text(jinja, list->items[index], "a separator");
}

static Value filter_to_json(Jinja *jinja, Value subject, const Arguments *arguments) {
    const Value *argument = arguments->positional;
    Value indent = argument[1];
    JsonStyle style = {.ascii = jinja_want_boolean(argument[0], false),
                       .sorted = jinja_want_boolean(argument[3], false),
                       .lines = indent.kind != VALUE_ABSENT && indent.kind != VALUE_NONE};
    style.between = separator(jinja, argument[2], 0, style.lines ? "," : ", ");
    style.after_key = separator(jinja, argument[2], 1, ": ");
    if (style.lines)
        style.indent = indent.kind == VALUE_TEXT
                           ? *indent.text
                           : jinja_repeat(jinja, jinja_literal(jinja, " "),
                                          jinja_want_integer(jinja, indent, "indent", 0));
    return from_text(jinja, jinja_to_json(jinja, subject, &style));
}

/* --- numbers --- */

static Value filter_absolute(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)arguments;
    if (subject.kind == VALUE_FLOAT) return jinja_float(fabs(subject.number));
    Value negated = jinja_negate(jinja, subject);
    int64_t value = jinja_as_integer(subject);
    return value < 0 ? negated : jinja_integer(value);
}

static Value filter_integer(Jinja *jinja, Value subject, const Arguments *arguments) {
    Value otherwise = arguments->positional[0];
    int64_t base = jinja_want_integer(jinja, arguments->positional[1], "base", 10), value;
    double number;
    if (otherwise.kind == VALUE_ABSENT) otherwise = jinja_integer(0);
    if (subject.kind == VALUE_UNDEFINED) jinja_fail(jinja, "%s", subject.missing);
    if (jinja_is_integral(subject)) return jinja_integer(jinja_as_integer(subject));
    if (subject.kind == VALUE_FLOAT)
        number = subject.number;
    else if (subject.kind != VALUE_TEXT)
        return otherwise;
    else if (base != 0 && (base < 2 || base > 36))
        jinja_fail(jinja, "a base is 0 or from 2 to 36");
    else if (jinja_parse_integer(jinja, *subject.text, (int)base, &value))
        return jinja_integer(value);
    else if (!jinja_parse_float(jinja, *subject.text, &number))
        return otherwise;
    bool finite = !isnan(number) && !isinf(number);
    return finite ? jinja_integer(jinja_from_double(jinja, number)) : otherwise;
}

static Value filter_float(Jinja *jinja, Value subject, const Arguments *arguments) {
    double number;
    if (subject.kind == VALUE_UNDEFINED) jinja_fail(jinja, "%s", subject.missing);
    if (jinja_is_number(subject)) return jinja_float(jinja_as_float(subject));
    if (subject.kind == VALUE_TEXT && jinja_parse_float(jinja, *subject.text, &number))
        return jinja_float(number);
    Value otherwise = arguments->positional[0];
    return otherwise.kind == VALUE_ABSENT ? jinja_float(0) : otherwise;
}

/* Correctly rounded, halves to even, as Python rounds. */
static double round_common(Jinja *jinja, double number, int precision) {
    static const char format[] = "%.*f";
    char text[400];
    if (isnan(number) || isinf(number)) return number;
    snprintf(text, sizeof text, format, precision, number);
    for (char *c = text; *c; c++)
        if (*c == ',') *c = '.';
    double rounded = number;
    jinja_parse_float(jinja, jinja_literal(jinja, text), &rounded);
    return rounded;
}

static Value filter_round(Jinja *jinja, Value subject, const Arguments *arguments) {
    const Value *argument = arguments->positional;
    int64_t precision = jinja_want_integer(jinja, argument[0], "precision", 0);
    Text method = argument[1].kind == VALUE_ABSENT ? jinja_literal(jinja, "common")
                                                   : jinja_want_text(jinja, argument[1], "method");
    bool common = jinja_text_is(method, "common"), up = jinja_text_is(method, "ceil");
    if (!common && !up && !jinja_text_is(method, "floor"))
        jinja_fail(jinja, "\"round\" knows the methods common, ceil and floor");
    if (!jinja_is_number(subject)) return jinja_negate(jinja, subject); /* says what is wrong */
    if (precision < 0 || precision > 20)
        jinja_fail(jinja, "\"round\" supports a precision from 0 to 20");
    if (common && jinja_is_integral(subject)) return jinja_integer(jinja_as_integer(subject));
    double number = jinja_as_float(subject), scale = pow(10, (double)precision);
    if (common) return jinja_float(round_common(jinja, number, (int)precision));
    if (isnan(number) || isinf(number)) jinja_fail(jinja, "a number that is not finite");
    return jinja_float((up ? ceil(number * scale) : floor(number * scale)) / scale);
}

const Builtin jinja_text_filters[] = {
    {"upper", filter_upper, ""},
    {"lower", filter_lower, ""},
    {"title", filter_title, ""},
    {"capitalize", filter_capitalize, ""},
    {"trim", filter_trim, "|chars"},
    {"center", filter_center, "|width"},
    {"indent", filter_indent, "|width first blank"},
    {"truncate", filter_truncate, "|length killwords end leeway"},
    {"wordcount", filter_word_count, ""},
    {"replace", filter_replace, "old new|count"},
    {"format", filter_format, NULL},
    {"string", filter_string, ""},
    {"safe", filter_safe, ""},
    {"escape", filter_escape, ""},
    {"e", filter_escape, ""},
    {"tojson", filter_to_json, "|ensure_ascii indent separators sort_keys"},
    {"abs", filter_absolute, ""},
    {"int", filter_integer, "|default base"},
    {"float", filter_float, "|default"},
    {"round", filter_round, "|precision method"},
    {NULL, NULL, NULL},
};
