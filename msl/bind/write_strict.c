#include "reader.h"

#include <stdlib.h>
#include <string.h>

/* Go on in a line of its own as if at a place of the text, with blanks for what stands in front. */
static void write_place(const BoundFile *file, BoundPlace where, FILE *out) {
    const char *at = file->text + where.at, *line = at;
    while (line > file->text && line[-1] != '\n')
        line--;
    fprintf(out, "\n#line %d \"%.*s\"\n", where.line, where.path_length, where.path);
    for (; line < at; line++)
        putc(*line == '\t' ? '\t' : ' ', out);
}

typedef struct TemplateParameter {
    const char *type, *name; /* "typename" and "T"; one that has no name has no type */
    const char *value;       /* its default, or empty */
} TemplateParameter;

/* Is the current token after one of a template's parameters or arguments? */
static bool ends_parameter(const Reader *reader, Depth depth) {
    if (!reader->token.text) return true;
    return !depth.angle && !depth.parenthesis &&
           (token_is(&reader->token, ",") || token_is(&reader->token, ">"));
}

/* Up to the ',' or '>' after it, appended to `value`. */
static bool read_value(Reader *reader, const char **value) {
    for (Depth depth = {0}; !ends_parameter(reader, depth); reader_next(reader)) {
        if (!reader_append(reader, value, &reader->token)) return false;
        depth_count(&depth, &reader->token);
    }
    return true;
}

/* Up to the ',' or '>' after it. */
static bool read_template_parameter(Reader *reader, TemplateParameter *parameter) {
    Token last = {0};
    for (; !ends_parameter(reader, (Depth){0}) && !token_is(&reader->token, "=");
         reader_next(reader)) {
        if (token_is(&reader->token, ".") || token_is(&reader->token, "<"))
            return reader_refuse(reader, reader->token.line,
                                 "packs and templates as parameters of a kernel template are not "
                                 "supported by the strict check");
        if (last.text && !reader_append(reader, &parameter->type, &last)) return false;
        last = reader->token;
    }
    if (last.text && !reader_append(reader, &parameter->name, &last)) return false;
    if (!token_is(&reader->token, "=")) return true;
    reader_next(reader);
    return read_value(reader, &parameter->value);
}

static void write_template_argument(const TemplateParameter *parameter, FILE *out) {
    if (!strcmp(parameter->type, "typename") || !strcmp(parameter->type, "class"))
        fprintf(out, "using %s = %s; ", parameter->name, parameter->value);
    else if (*parameter->type)
        fprintf(out, "constant constexpr %s %s = {%s}; ", parameter->type, parameter->name,
                parameter->value);
}

/* A template's parameters as names for what an instance, scale<float, 4>, gives them. */
static bool write_template_arguments(BoundFile *file, const BoundTemplate *template,
                                     const BoundInstance *instance, FILE *out) {
    const BoundKernel *kernel = &file->kernels[instance->kernel];
    const char *words = kernel->function;
    Reader parameters = reader_start(file, template->begin, file->text + template->parameters,
                                     file->text + template->name.at);
    Reader arguments = reader_start(file, instance->begin, words, words + strlen(words));
    reader_next(&arguments); /* the template's name */
    while (parameters.token.text && !token_is(&parameters.token, ">")) {
        TemplateParameter parameter = {"", "", ""};
        const char *argument = "";
        reader_next(&parameters);
        if (!read_template_parameter(&parameters, &parameter)) return false;
        if (arguments.token.text && !token_is(&arguments.token, ">")) reader_next(&arguments);
        if (!read_value(&arguments, &argument)) return false;
        if (*argument) parameter.value = argument;
        if (!*parameter.value)
            return reader_refuse(&arguments, instance->begin.line,
                                 "'%s': template parameter '%s' has no argument", kernel->name,
                                 parameter.name);
        write_template_argument(&parameter, out);
    }
    return token_is(&arguments.token, ">") ||
           reader_refuse(&arguments, instance->begin.line,
                         "'%s': more template arguments than parameters", kernel->name);
}

/* A template may be declared in front of its body. */
static bool is_instance_of(const BoundFile *file, const BoundInstance *instance,
                           const BoundTemplate *template) {
    const BoundTemplate *own = &file->templates[instance->template];
    return template->body && !strcmp(own->kernel.function, template->kernel.function);
}

/* namespace scale_float { using T = float; kernel void scale_float(…) {…} }, and its declaration
 * where the instance gives the parameters' types. */
static bool write_instance(BoundFile *file, const BoundInstance *instance, FILE *out) {
    const char *name = file->kernels[instance->kernel].symbol;
    const BoundTemplate *template = file->templates, *end = template + file->template_count;
    while (template < end && !is_instance_of(file, instance, template))
        template++;
    if (template == end) {
        Reader reader = reader_start(file, instance->begin, "", "");
        return reader_refuse(&reader, instance->begin.line, "the template of '%s' has no body",
                             name);
    }
    write_place(file, instance->begin, out);
    fprintf(out, "namespace %s { ", name);
    if (!write_template_arguments(file, template, instance, out)) return false;
    fputs("kernel void", out);
    write_place(file, template->name, out);
    fputs(name, out);
    write_place(file, template->behind_name, out);
    fwrite(file->text + template->behind_name.at, 1, template->end.at - template->behind_name.at,
           out);
    write_place(file, instance->begin, out);
    if (file->text[instance->types] == '(')
        fprintf(out, "kernel void %s%.*s", name, (int)(instance->end.at - instance->types),
                file->text + instance->types);
    fputs(" }", out);
    return true;
}

/* Nothing of a template without instances would be checked. */
static bool check_instances(BoundFile *file) {
    for (size_t t = 0; t < file->template_count; t++) {
        const BoundTemplate *template = &file->templates[t];
        size_t i = 0;
        while (i < file->instance_count && !is_instance_of(file, &file->instances[i], template))
            i++;
        if (i < file->instance_count || !template->body) continue;
        Reader reader = reader_start(file, template->name, "", "");
        return reader_refuse(&reader, template->name.line,
                             "kernel template '%s' has no instance, so it cannot be checked",
                             template->kernel.name);
    }
    return true;
}

typedef struct StrictEdit {
    size_t begin, end;
    const char *insert;            /* may be NULL, like all below */
    const BoundInstance *instance; /* is written out here */
    const BoundPlace *behind;      /* where the text goes on in a new line */
} StrictEdit;

static int compare_strict_edits(const void *a, const void *b) {
    const StrictEdit *left = a, *right = b;
    return left->begin < right->begin ? -1 : left->begin > right->begin;
}

/* All of a file's, in order; those inside a template come after its own. NULL without memory. */
static StrictEdit *collect_strict_edits(const BoundFile *file, size_t *total) {
    size_t count =
        file->edit_count + file->constant_count + file->template_count + file->instance_count;
    StrictEdit *edits = calloc(count + 1, sizeof *edits), *edit = edits;
    if (!edits) return NULL;
    for (size_t i = 0; i < file->edit_count; i++)
        if (file->edits[i].insert == kernel_word)
            *edit++ =
                (StrictEdit){file->edits[i].begin, file->edits[i].end, kernel_word, NULL, NULL};
    for (size_t i = 0; i < file->constant_count; i++)
        *edit++ =
            (StrictEdit){file->constants[i].begin, file->constants[i].begin, "extern ", NULL, NULL};
    for (size_t i = 0; i < file->template_count; i++) {
        const BoundTemplate *template = &file->templates[i];
        *edit++ = (StrictEdit){template->begin.at, template->end.at, NULL, NULL, &template->end};
    }
    for (size_t i = 0; i < file->instance_count; i++) {
        const BoundInstance *instance = &file->instances[i];
        *edit++ =
            (StrictEdit){instance->begin.at, instance->end.at, NULL, instance, &instance->end};
    }
    *total = (size_t)(edit - edits);
    qsort(edits, *total, sizeof *edits, compare_strict_edits);
    return edits;
}

/* In front of the text are so many empty lines that no line keeps its number: clang's syntax tree
 * does not tell the number that #line gives where that is the line's own. */
bool bind_write_strict(BoundFile *file, FILE *out) {
    if (!check_instances(file)) return false;
    size_t count, at = 0;
    StrictEdit *edits = collect_strict_edits(file, &count);
    if (!edits) {
        snprintf(file->error, sizeof file->error, "%s: out of memory", file->path);
        return false;
    }
    for (int line = 0; line <= file->last_line; line++)
        putc('\n', out);
    fprintf(out, "#line 1 \"%s\"\n", file->path);
    for (const StrictEdit *edit = edits; edit < edits + count && !file->error[0]; edit++) {
        if (edit->begin < at) continue;
        fwrite(file->text + at, 1, edit->begin - at, out);
        if (edit->insert) fputs(edit->insert, out);
        if (edit->instance) write_instance(file, edit->instance, out);
        if (edit->behind) write_place(file, *edit->behind, out);
        at = edit->end;
    }
    fwrite(file->text + at, 1, file->size - at, out);
    free(edits);
    return !file->error[0];
}
