#include "reader.h"

#include <stdlib.h>
#include <string.h>

enum { UNNUMBERED = 99 }; /* the index of a parameter that has none yet */

typedef struct Builtin {
    const char *attribute;
    bool vector;      /* may have 2 or 3 components */
    const char *twin; /* must have the same type, where a kernel has both */
} Builtin;

static const Builtin builtins[] = {
    {"thread_position_in_grid", true, "threads_per_grid"},
    {"thread_position_in_threadgroup", true, "threads_per_threadgroup"},
    {"thread_index_in_threadgroup", false, NULL},
    {"thread_index_in_simdgroup", false, NULL},
    {"threadgroup_position_in_grid", true, NULL},
    {"threadgroups_per_grid", true, NULL},
    {"threads_per_grid", true, "thread_position_in_grid"},
    {"threads_per_threadgroup", true, "thread_position_in_threadgroup"},
    {"threads_per_simdgroup", false, NULL},
    {"simdgroup_index_in_threadgroup", false, NULL},
    {"simdgroups_per_threadgroup", false, NULL},
};

/* NULL if the attribute is not known. */
static const Builtin *find_builtin(const char *attribute) {
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (!strcmp(builtins[i].attribute, attribute)) return &builtins[i];
    return NULL;
}

/* Of ushort, uint and their vectors; 0 for other types. */
static unsigned component_count(const char *type) {
    const char *rest = type + (strncmp(type, "ushort", 6) ? 4 : 6);
    if (strncmp(type, "ushort", 6) && strncmp(type, "uint", 4)) return 0;
    if (!*rest) return 1;
    return (*rest == '2' || *rest == '3') && !rest[1] ? (unsigned)(*rest - '0') : 0;
}

bool read_attribute(Reader *reader, BoundParameter *parameter) {
    int line = reader->token.line;
    parameter->begin = reader_offset(reader, &reader->token);
    if (!reader_expect(reader, "[") || !reader_expect(reader, "[")) return false;
    if (parameter->attribute[0]) return reader_refuse(reader, line, "more than one attribute");
    if (!token_is_word(&reader->token))
        return reader_refuse(reader, line, "expected an attribute's name");
    reader_append(reader, parameter->attribute, sizeof parameter->attribute, &reader->token);
    reader_next(reader);
    if (token_is(&reader->token, "(")) {
        reader_next(reader);
        char *rest;
        unsigned long index = reader->token.text ? strtoul(reader->token.text, &rest, 10) : 0;
        if (!reader->token.text || rest != reader->token.text + reader->token.length || index > 30)
            return reader_refuse(reader, line, "expected an index from 0 to 30");
        parameter->index = (unsigned)index;
        parameter->has_index = true;
        reader_next(reader);
        if (!reader_expect(reader, ")")) return false;
    }
    if (token_is(&reader->token, ",")) reader_skip_to_bracket(reader);
    if (!strcmp(parameter->attribute, "thread_execution_width"))
        strcpy(parameter->attribute, "threads_per_simdgroup"); /* its name since Metal 2.1 */
    if (!reader_expect(reader, "]")) return false;
    parameter->end = reader_offset(reader, &reader->token) + 1;
    return reader_expect(reader, "]");
}

typedef struct Declarator {
    bool is_device, is_constant, is_threadgroup, is_const, is_pointer, is_reference;
} Declarator;

static bool check_builtin(Reader *reader, int line, const BoundParameter *parameter) {
    const Builtin *builtin = find_builtin(parameter->attribute);
    if (parameter->has_index)
        return reader_refuse(reader, line, "[[%s]] has no index", parameter->attribute);
    unsigned components = component_count(parameter->type);
    if (components == 1 || (components && builtin->vector)) return true;
    return reader_refuse(reader, line, "'%s' must be ushort or uint%s", parameter->name,
                         builtin->vector ? ", or a vector of 2 or 3 of them" : "");
}

/* Metal asks that the positions and sizes of one kernel are all scalars or all vectors of as many
 * components, those of one space of one type. */
static bool builtins_agree(Reader *reader, int line, const BoundParameter *a,
                           const BoundParameter *b) {
    if (a->kind != BOUND_BUILTIN || b->kind != BOUND_BUILTIN) return true;
    const Builtin *left = find_builtin(a->attribute), *right = find_builtin(b->attribute);
    const char *twin = left->twin;
    if (left == right)
        return reader_refuse(reader, line, "'%s' and '%s' are both [[%s]]", a->name, b->name,
                             a->attribute);
    if (twin && !strcmp(twin, b->attribute) && strcmp(a->type, b->type))
        return reader_refuse(reader, line, "'%s' and '%s' must have the same type", a->name,
                             b->name);
    if (!left->vector || !right->vector || component_count(a->type) == component_count(b->type))
        return true;
    return reader_refuse(reader, line, "'%s' and '%s' must have as many components as each other",
                         a->name, b->name);
}

static bool classify(Reader *reader, int line, const Declarator *d, BoundParameter *parameter) {
    const char *attribute = parameter->attribute;
    parameter->constant = d->is_constant;
    parameter->reference = d->is_reference;
    if (!attribute[0] && (d->is_device || d->is_constant || d->is_threadgroup)) {
        parameter->numbered = true;
        parameter->index = UNNUMBERED;
        strcpy(parameter->attribute, d->is_threadgroup ? "threadgroup" : "buffer");
    }
    if (!attribute[0])
        return reader_refuse(reader, line, "parameter '%s' has no [[attribute]]", parameter->name);
    bool is_resource = !strcmp(attribute, "buffer") || !strcmp(attribute, "threadgroup");
    if (is_resource && !parameter->numbered && !parameter->has_index)
        return reader_refuse(reader, line, "[[%s]] needs an index", attribute);
    if (!strcmp(attribute, "buffer")) {
        if (d->is_device ? d->is_pointer || d->is_reference : d->is_pointer && d->is_constant) {
            parameter->kind = BOUND_BUFFER;
            parameter->writable = d->is_device && !d->is_const;
            return true;
        }
        if (d->is_reference && d->is_constant) {
            parameter->kind = BOUND_CONSTANT;
            return true;
        }
        return reader_refuse(reader, line,
                             "'%s' must be a device or constant pointer, or a constant "
                             "reference",
                             parameter->name);
    }
    if (!strcmp(attribute, "threadgroup")) {
        parameter->kind = BOUND_THREADGROUP;
        if ((d->is_pointer || d->is_reference) && d->is_threadgroup) return true;
        return reader_refuse(reader, line, "'%s' must be a threadgroup pointer", parameter->name);
    }
    parameter->kind = BOUND_BUILTIN;
    if (!find_builtin(attribute))
        return reader_refuse(reader, line, "attribute [[%s]] is not supported", attribute);
    if (d->is_pointer || d->is_reference)
        return reader_refuse(reader, line, "'%s' must be a value", parameter->name);
    return check_builtin(reader, line, parameter);
}

/* One parameter, up to but not including the ',' or ')' behind it. */
static bool read_parameter(Reader *reader, BoundParameter *parameter) {
    int line = reader->token.line;
    Declarator d = {0};
    Token last = {0};
    int angle = 0;
    while (reader->token.text) {
        Token token = reader->token;
        if (angle == 0 && (token_is(&token, ",") || token_is(&token, ")"))) break;
        if (token_is(&token, "[")) {
            if (!read_attribute(reader, parameter)) return false;
            continue;
        }
        angle += token_is(&token, "<") - token_is(&token, ">");
        if (token_is(&token, "device"))
            d.is_device = true;
        else if (token_is(&token, "constant"))
            d.is_constant = true;
        else if (token_is(&token, "threadgroup"))
            d.is_threadgroup = true;
        else if (token_is(&token, "const"))
            d.is_const = true;
        else if (token_is(&token, "&"))
            d.is_reference = true;
        else if (token_is(&token, "*")) {
            if (d.is_pointer)
                return reader_refuse(reader, line, "pointers to pointers are not supported");
            d.is_pointer = true;
            parameter->star = reader_offset(reader, &token) + 1;
        } else {
            if (last.text && !reader_append(reader, parameter->type, sizeof parameter->type, &last))
                return false;
            last = token;
        }
        reader_next(reader);
    }
    if (!last.text || !parameter->type[0])
        return reader_refuse(reader, line, "expected 'type name'");
    reader_append(reader, parameter->name, sizeof parameter->name, &last);
    return classify(reader, line, &d, parameter);
}

static bool same_slot(const BoundParameter *a, const BoundParameter *b) {
    if (a->kind == BOUND_BUILTIN || b->kind == BOUND_BUILTIN) return false;
    return a->index == b->index && a->index != UNNUMBERED &&
           (a->kind == BOUND_THREADGROUP) == (b->kind == BOUND_THREADGROUP);
}

static bool is_taken(const BoundKernel *kernel, const BoundParameter *parameter) {
    for (unsigned i = 0; i < kernel->count; i++)
        if (&kernel->parameter[i] != parameter && same_slot(&kernel->parameter[i], parameter))
            return true;
    return false;
}

/* Give the parameters that have no index the lowest that is free, in their order. */
static void number_parameters(BoundKernel *kernel) {
    for (unsigned i = 0; i < kernel->count; i++) {
        BoundParameter *parameter = &kernel->parameter[i];
        if (!parameter->numbered) continue;
        parameter->index = 0;
        while (is_taken(kernel, parameter))
            parameter->index++;
    }
}

/* [[…]] in front of a function is left out. */
static bool skip_attribute(Reader *reader) {
    size_t begin = reader_offset(reader, &reader->token);
    reader_next(reader);
    reader_skip_to_bracket(reader);
    if (!reader_expect(reader, "]")) return false;
    if (!reader_edit(reader, begin, reader_offset(reader, &reader->token) + 1, "")) return false;
    return reader_expect(reader, "]");
}

static bool read_parameters(Reader *reader, BoundKernel *kernel) {
    while (reader->token.text && !token_is(&reader->token, ")")) {
        if (kernel->count == BIND_PARAMETERS)
            return reader_refuse(reader, kernel->line, "more than %d parameters", BIND_PARAMETERS);
        BoundParameter *parameter = &kernel->parameter[kernel->count];
        if (!read_parameter(reader, parameter)) return false;
        for (unsigned i = 0; i < kernel->count; i++) {
            if (same_slot(&kernel->parameter[i], parameter))
                return reader_refuse(reader, reader->token.line,
                                     "'%s' and '%s' have the same index", kernel->parameter[i].name,
                                     parameter->name);
            if (!builtins_agree(reader, reader->token.line, &kernel->parameter[i], parameter))
                return false;
        }
        kernel->count++;
        if (token_is(&reader->token, ",")) reader_next(reader);
    }
    number_parameters(kernel);
    return reader_expect(reader, ")");
}

/* Note what the parameters ask of the text. */
static bool edit_parameters(Reader *reader, const BoundKernel *kernel) {
    for (unsigned p = 0; p < kernel->count; p++) {
        const BoundParameter *parameter = &kernel->parameter[p];
        if (!parameter->numbered && !reader_edit(reader, parameter->begin, parameter->end, ""))
            return false;
        if (parameter->kind == BOUND_BUFFER && !parameter->reference &&
            !reader_edit(reader, parameter->star, parameter->star, "MSL_RESTRICT "))
            return false;
    }
    return true;
}

bool add_kernel(Reader *reader, const BoundKernel *kernel) {
    BoundFile *file = reader->file;
    if (!reader_grow(reader, &file->kernels, file->kernel_count, sizeof *kernel)) return false;
    file->kernels[file->kernel_count++] = *kernel;
    return true;
}

bool read_kernel(Reader *reader, BoundTemplate *template) {
    if (token_is(&reader->token, "[") && !skip_attribute(reader)) return false;
    if (!token_is(&reader->token, "void"))
        return reader_refuse(reader, reader->token.line, "a kernel returns void");
    reader_next(reader);
    BoundKernel kernel = {.line = reader->token.line};
    if (!token_is_word(&reader->token))
        return reader_refuse(reader, kernel.line, "expected the kernel's name");
    reader_append(reader, kernel.name, sizeof kernel.name, &reader->token);
    BoundPlace name = reader_place(reader), behind_name = reader_place_behind(reader);
    reader_next(reader);
    if (!reader_expect(reader, "(") || !read_parameters(reader, &kernel)) return false;
    if (!edit_parameters(reader, &kernel)) return false;
    reader->body = template ? TEMPLATE_BODY : KERNEL_BODY;
    if (!template) return add_kernel(reader, &kernel);
    template->kernel = kernel;
    template->name = name;
    template->behind_name = behind_name;
    return true;
}

const char *const kernel_word = "kernel    ";

bool take_kernel_attribute(Reader *reader) {
    Reader start = *reader;
    reader_next(reader);
    if (token_is(&reader->token, "[")) {
        reader_next(reader);
        if (token_is(&reader->token, "kernel")) {
            reader_skip_to_bracket(reader);
            reader_next(reader);
            reader_edit(reader, reader_offset(&start, &start.token),
                        reader_offset(reader, &reader->token) + 1, kernel_word);
            reader_next(reader);
            return true;
        }
    }
    *reader = start;
    return false;
}
