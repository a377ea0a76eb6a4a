#include "reader.h"

#include <ctype.h>
#include <string.h>

/* The template that a name in the reader's scope means, or the number of all. */
static size_t find_template(const Reader *reader, const Token *name) {
    const BoundFile *file = reader->file;
    for (size_t i = 0; i < file->template_count; i++) {
        const char *function = file->templates[i].kernel.function, *scope = reader->scope;
        if (!strncmp(function, scope, strlen(scope))) function += strlen(scope);
        if (token_is(name, function)) return i;
    }
    return file->template_count;
}

/* An instance takes its parameters from the template called `name`. */
static bool add_instance(Reader *reader, BoundInstance *instance, BoundKernel *kernel,
                         const Token *name) {
    BoundFile *file = reader->file;
    instance->template = find_template(reader, name);
    if (instance->template == file->template_count)
        return reader_refuse(reader, kernel->line, "'%.*s' is no kernel template",
                             (int)name->length, name->text);
    const BoundKernel *template = &file->templates[instance->template].kernel;
    kernel->line = template->line; /* where its parameters are */
    kernel->count = template->count;
    kernel->parameter = template->parameter;
    kernel->waits = template->waits;
    kernel->end = instance->end.at;
    instance->kernel = file->kernel_count;
    if (!reader_grow(reader, &file->instances, file->instance_count, sizeof *instance))
        return false;
    file->instances[file->instance_count++] = *instance;
    return add_kernel(reader, kernel);
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
static bool check_decltype(Reader *reader, const BoundKernel *kernel, const char *words,
                           size_t begin, size_t end) {
    const char *text = reader->file->text;
    if (begin == end || same_words(text + begin, text + end, words, words + strlen(words)))
        return true;
    return reader_refuse(reader, kernel->line, "'%s': decltype(…) must name the same instance",
                         kernel->name);
}

/* The words of name<…>, whose '<' is the current token. */
static const char *instance_words(Reader *reader, const Token *name) {
    size_t from = reader_offset(reader, name);
    reader_skip_angles(reader);
    const char *end = reader->token.text ? reader->token.text : reader->end;
    return reader_keep(reader, reader->file->text + from,
                       (size_t)(end - reader->file->text) - from);
}

/* scale(device float *x), an instance whose arguments follow from its parameters, is found by its
 * type; the current token is the '('. */
static bool read_by_type(Reader *reader, const Token *name, const char **words) {
    size_t begin = reader_offset(reader, &reader->token);
    Reader behind = *reader;
    reader_skip_parentheses(&behind);
    if (!token_is(&behind.token, ";")) return false;
    const char *parameters = reader->file->text + begin, *end = behind.token.text;
    *words = "((void (*)";
    return reader_join(reader, words, parameters, (size_t)(end - parameters)) &&
           reader_join(reader, words, ")", 1) &&
           reader_join(reader, words, name->text, name->length) &&
           reader_join(reader, words, ")", 1);
}

/* template [[host_name("name")]] kernel … scale<float, 4>…; with or without the parameters' types.
 * The instance is the last name<…> in front of them. `begin` is where `template` is. */
static bool read_instance(Reader *reader, BoundPlace begin, size_t edits, const Lead *lead,
                          BoundKernel *kernel) {
    BoundInstance instance = {.begin = begin};
    const char *words = "";
    Token name = {0}, last = {0};
    size_t type_begin = 0, type_end = 0;
    int parentheses = 0;
    kernel->is_instance = true;
    if (lead->host_name) name_kernel(reader, kernel, lead->host_name);
    while (reader->token.text && !token_is(&reader->token, ";")) {
        if (token_is(&reader->token, "<") && !parentheses && token_is_word(&last)) {
            name = last;
            instance.types = reader_offset(reader, &name);
            words = instance_words(reader, &name);
            instance.types += strlen(words);
            continue;
        }
        if (token_is(&reader->token, "(") && !name.text && token_is_word(&last) &&
            read_by_type(reader, &last, &words))
            name = last;
        if (token_is(&reader->token, "(") && token_is(&last, "decltype"))
            type_begin = type_end = reader_offset(reader, &reader->token) + 1;
        parentheses += token_is(&reader->token, "(") - token_is(&reader->token, ")");
        if (type_begin == type_end && type_begin && !parentheses)
            type_end = reader_offset(reader, &reader->token);
        last = reader->token;
        reader_next(reader);
    }
    if (!reader->token.text || !name.text)
        return reader_refuse(reader, kernel->line, "expected an instance of a kernel template");
    kernel->function = *words == '(' ? "" : reader->scope;
    if (!reader_join(reader, &kernel->function, words, strlen(words))) return false;
    if (!lead->host_name) name_kernel(reader, kernel, NULL);
    if (!check_decltype(reader, kernel, words, type_begin, type_end)) return false;
    instance.end = reader_place_behind(reader);
    reader->file->edit_count = edits; /* those of its [[attributes]] go with it */
    return reader_edit(reader, begin.at, instance.end.at, "") &&
           add_instance(reader, &instance, kernel, &name);
}

/* The current token is the '<' after `template`, which is at `begin`. */
static bool read_kernel_template(Reader *reader, BoundPlace begin, BoundKernel *kernel,
                                 bool *left_out) {
    BoundTemplate template = {.begin = begin, .parameters = reader_offset(reader, &reader->token)};
    BoundFile *file = reader->file;
    reader_skip_angles(reader);
    Reader start = *reader;
    size_t edits = file->edit_count;
    Lead lead;
    if (!read_lead(reader, &lead)) return false;
    if (lead.stage != KERNEL_STAGE) {
        *reader = start;
        file->edit_count = edits;
        *left_out = lead.stage == OTHER_STAGE;
        return true;
    }
    if (!read_kernel(reader, &lead, &template, kernel)) return false;
    if (!token_is(&reader->token, "{") && !token_is(&reader->token, ";"))
        return reader_refuse(reader, reader->token.line,
                             "expected the body of kernel template '%s'", kernel->name);
    if (!reader_grow(reader, &file->templates, file->template_count, sizeof template)) return false;
    file->templates[file->template_count++] = template;
    return true;
}

bool read_template(Reader *reader, BoundPlace begin, BoundKernel *kernel, bool *left_out) {
    size_t edits = reader->file->edit_count;
    reader_next(reader);
    if (token_is(&reader->token, "<")) return read_kernel_template(reader, begin, kernel, left_out);
    Lead lead;
    if (!read_lead(reader, &lead)) return false;
    *left_out = lead.stage == OTHER_STAGE;
    if (lead.stage == KERNEL_STAGE || (lead.host_name && !*left_out))
        return read_instance(reader, begin, edits, &lead, kernel);
    return true; /* an instance of a function's or a class's */
}
