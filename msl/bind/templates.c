#include "reader.h"

#include <ctype.h>
#include <string.h>

/* The name in [[host_name("name")]]; the current token is the first '['. */
static bool read_host_name(Reader *reader, BoundKernel *instance) {
    int line = reader->token.line;
    if (!reader_expect(reader, "[") || !reader_expect(reader, "[")) return false;
    if (!token_is(&reader->token, "host_name"))
        return reader_refuse(reader, line, "expected [[host_name(\"…\")]]");
    reader_next(reader);
    if (!reader_expect(reader, "(")) return false;
    Token name = reader->token;
    reader_next(reader);
    if (!name.text || name.length < 3 || *name.text != '"' ||
        name.length - 2 >= sizeof instance->name)
        return reader_refuse(reader, line, "expected a kernel's name in quotes");
    for (size_t i = 1; i + 1 < name.length; i++)
        if (!is_word_character(name.text[i]))
            return reader_refuse(reader, line,
                                 "a host name with other characters than letters, digits and _ "
                                 "is not supported");
    memcpy(instance->name, name.text + 1, name.length - 2);
    return reader_expect(reader, ")") && reader_expect(reader, "]") && reader_expect(reader, "]");
}

/* An instance takes its parameters from the template called `name`. */
static bool add_instance(Reader *reader, const BoundKernel *instance, const Token *name) {
    BoundFile *file = reader->file;
    for (size_t i = 0; i < file->template_count; i++) {
        if (!token_is(name, file->templates[i].kernel.name)) continue;
        BoundKernel kernel = file->templates[i].kernel;
        memcpy(kernel.name, instance->name, sizeof kernel.name);
        memcpy(kernel.instance, instance->instance, sizeof kernel.instance);
        return add_kernel(reader, &kernel);
    }
    return reader_refuse(reader, instance->line, "'%.*s' is no kernel template", (int)name->length,
                         name->text);
}

/* The same but for blanks? */
static bool same_words(const char *a, const char *a_end, const char *b, const char *b_end) {
    for (;; a++, b++) {
        while (a < a_end && isspace((unsigned char)*a))
            a++;
        while (b < b_end && isspace((unsigned char)*b))
            b++;
        if (a == a_end || b == b_end) return a == a_end && b == b_end;
        if (*a != *b) return false;
    }
}

/* In decltype(scale<float>) scale<float> both must be the same; the text in decltype's parentheses
 * is text[begin, end), empty if there is no decltype. */
static bool check_decltype(Reader *reader, const BoundKernel *instance, size_t begin, size_t end) {
    const char *text = reader->file->text, *name = instance->instance;
    if (begin == end || same_words(text + begin, text + end, name, name + strlen(name)))
        return true;
    return reader_refuse(reader, instance->line, "'%s': decltype(…) must name the same instance",
                         instance->name);
}

/* template [[host_name("name")]] kernel … scale<float, 4>…; with or without the parameters' types.
 * The instance is the last name<…> in front of them. `begin` is where `template` is. */
static bool read_instance(Reader *reader, BoundPlace begin) {
    BoundKernel kernel = {.line = reader->token.line};
    BoundInstance instance = {.kernel = reader->file->kernel_count, .begin = begin};
    if (!read_host_name(reader, &kernel)) return false;
    Token name = {0}, last = {0};
    size_t type_begin = 0, type_end = 0;
    int parentheses = 0;
    while (reader->token.text && !token_is(&reader->token, ";")) {
        if (token_is(&reader->token, "<") && !parentheses && token_is_word(&last)) {
            size_t from = reader_offset(reader, &last);
            reader_skip_angles(reader);
            const char *end = reader->token.text ? reader->token.text : reader->end;
            size_t length = (size_t)(end - reader->file->text) - from;
            if (length >= sizeof kernel.instance)
                return reader_refuse(reader, kernel.line, "template arguments too long");
            memcpy(kernel.instance, reader->file->text + from, length);
            kernel.instance[length] = 0;
            instance.types = from + length;
            name = last;
            continue;
        }
        if (token_is(&reader->token, "(") && token_is(&last, "decltype"))
            type_begin = type_end = reader_offset(reader, &reader->token) + 1;
        parentheses += token_is(&reader->token, "(") - token_is(&reader->token, ")");
        if (type_begin == type_end && type_begin && !parentheses)
            type_end = reader_offset(reader, &reader->token);
        last = reader->token;
        reader_next(reader);
    }
    if (!reader->token.text || !name.text)
        return reader_refuse(reader, kernel.line, "expected an instance of a kernel template");
    if (!check_decltype(reader, &kernel, type_begin, type_end)) return false;
    instance.end = reader_place_behind(reader);
    if (!reader_edit(reader, begin.at, instance.end.at, "")) return false;
    BoundFile *file = reader->file;
    if (!reader_grow(reader, &file->instances, file->instance_count, sizeof instance)) return false;
    file->instances[file->instance_count++] = instance;
    return add_instance(reader, &kernel, &name);
}

/* The current token is the '<' behind `template`, which is at `begin`. */
static bool read_kernel_template(Reader *reader, BoundPlace begin) {
    BoundTemplate template = {.begin = begin, .parameters = reader_offset(reader, &reader->token)};
    reader_skip_angles(reader);
    if (!token_is(&reader->token, "[") || !take_kernel_attribute(reader)) {
        if (!token_is(&reader->token, "kernel")) return true;
        reader_next(reader);
    }
    if (!read_kernel(reader, &template)) return false;
    if (!token_is(&reader->token, "{") && !token_is(&reader->token, ";"))
        return reader_refuse(reader, reader->token.line,
                             "expected the body of kernel template '%s'", template.kernel.name);
    BoundFile *file = reader->file;
    if (!reader_grow(reader, &file->templates, file->template_count, sizeof template)) return false;
    file->templates[file->template_count++] = template;
    return true;
}

void end_template(Reader *reader) {
    BoundFile *file = reader->file;
    bool body = token_is(&reader->token, "}");
    if (!file->template_count || (!body && !token_is(&reader->token, ";"))) return;
    BoundTemplate *template = &file->templates[file->template_count - 1];
    if (template->end.at) return;
    template->end = reader_place_behind(reader);
    template->has_body = body;
}

bool read_template(Reader *reader) {
    BoundPlace begin = reader_place(reader);
    reader_next(reader);
    if (token_is(&reader->token, "[")) return read_instance(reader, begin);
    if (token_is(&reader->token, "<")) return read_kernel_template(reader, begin);
    if (!token_is(&reader->token, "kernel")) return true; /* an instance of a function's */
    return reader_refuse(reader, begin.line,
                         "an instance of a kernel template needs [[host_name(\"…\")]]");
}
