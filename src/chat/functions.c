/* functions.c — what a template can call by its name alone. */
#include "jinja.h"

#include <string.h>

static int64_t range_length(int64_t start, int64_t stop, int64_t step) {
    bool empty = step > 0 ? start >= stop : start <= stop;
    if (empty) return 0;
    uint64_t distance =
        step > 0 ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    uint64_t length = (distance - 1) / stride + 1;
    return length > JINJA_MAX_RANGE ? JINJA_MAX_RANGE + 1 : (int64_t)length;
}

static Value function_range(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)subject;
    const Value *argument = arguments->positional;
    bool one = argument[1].kind == VALUE_ABSENT;
    List *list = jinja_list(jinja);
    list->start = one ? 0 : jinja_want_integer(jinja, argument[0], "a range's start", 0);
    list->stop = jinja_want_integer(jinja, argument[one ? 0 : 1], "a range's stop", 0);
    list->step = jinja_want_integer(jinja, argument[2], "a range's step", 1);
    if (list->step == 0) jinja_fail(jinja, "the step of a range is 0");
    int64_t length = range_length(list->start, list->stop, list->step);
    if (length > JINJA_MAX_RANGE)
        jinja_fail(jinja, "a range of more than %d numbers", JINJA_MAX_RANGE);
    for (int64_t i = 0; i < length; i++)
        jinja_add(jinja, list, jinja_integer(list->start + i * list->step));
    return jinja_from_list(VALUE_RANGE, list);
}

/* The members of a mapping or of pairs, then the named arguments. */
static Mapping *collect(Jinja *jinja, const Arguments *arguments, const char *name) {
    Mapping *mapping = jinja_mapping(jinja);
    if (arguments->count > 1) jinja_fail(jinja, "\"%s\" takes one argument and named ones", name);
    if (arguments->count == 1 && arguments->positional[0].kind == VALUE_MAPPING) {
        const Mapping *from = arguments->positional[0].mapping;
        for (size_t i = 0; i < from->count; i++)
            jinja_put(jinja, mapping, from->entries[i].key, from->entries[i].value);
    } else if (arguments->count == 1) {
        const List *pairs = jinja_elements(jinja, arguments->positional[0]);
        for (size_t i = 0; i < pairs->count; i++) {
            const List *pair = jinja_elements(jinja, pairs->items[i]);
            if (pair->count != 2) jinja_fail(jinja, "\"%s\" takes pairs of key and value", name);
            jinja_put(jinja, mapping, pair->items[0], pair->items[1]);
        }
    }
    for (size_t i = 0; i < arguments->named_count; i++)
        jinja_put(jinja, mapping, jinja_from_text(jinja, arguments->named[i].name),
                  arguments->named[i].value);
    return mapping;
}

static Value function_dict(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)subject;
    return jinja_from_mapping(collect(jinja, arguments, "dict"));
}

static Value function_namespace(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)subject;
    return (Value){.kind = VALUE_NAMESPACE, .mapping = collect(jinja, arguments, "namespace")};
}

static Value function_raise(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)subject;
    Text message = jinja_print(jinja, arguments->positional[0]);
    int size = message.size < 300 ? (int)message.size : 300;
    jinja_refuse(jinja, "the template refuses this conversation: %.*s", size, message.bytes);
}

/* Each conversion by itself, so that what stands between them keeps its origin. */
static Value function_now(Jinja *jinja, Value subject, const Arguments *arguments) {
    (void)subject;
    Text format = jinja_want_text(jinja, arguments->positional[0], "a format of time");
    TextBuilder builder = jinja_builder(jinja);
    struct tm now;
    localtime_r(&jinja->now, &now);
    for (size_t at = 0; at < format.size; at++) {
        if (format.bytes[at] != '%' || at + 1 == format.size) {
            jinja_append(&builder, jinja_part(format, at, at + 1));
            continue;
        }
        size_t size = 2 + (strchr("-_0^#EO", format.bytes[at + 1]) && format.bytes[at + 1]);
        char conversion[4] = "", text[100];
        if (size > format.size - at) size = format.size - at;
        memcpy(conversion, format.bytes + at, size);
        if (strcmp(conversion, "%f") == 0) /* Python's microseconds */
            jinja_append_bytes(&builder, "000000", 6, format.origins[at]);
        else
            jinja_append_bytes(&builder, text, strftime(text, sizeof text, conversion, &now),
                               format.origins[at]);
        at += size - 1;
    }
    return jinja_from_text(jinja, jinja_built(&builder));
}

const Builtin jinja_functions[] = {
    {"range", function_range, "start|stop step"}, {"dict", function_dict, NULL},
    {"namespace", function_namespace, NULL},      {"raise_exception", function_raise, "message"},
    {"strftime_now", function_now, "format"},     {NULL, NULL, NULL},
};
