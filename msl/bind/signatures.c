#include "reader.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { UNNUMBERED = 999 }; /* the index of a parameter that has none yet */

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
    {"dispatch_threads_per_threadgroup", true, "thread_position_in_threadgroup"},
    {"dispatch_simdgroups_per_threadgroup", false, NULL},
    {"thread_index_in_quadgroup", false, NULL},
    {"quadgroup_index_in_threadgroup", false, NULL},
    {"quadgroups_per_threadgroup", false, NULL},
    {"dispatch_quadgroups_per_threadgroup", false, NULL},
    {"grid_origin", true, NULL},
    {"grid_size", true, NULL},
};

/* NULL if the attribute is not known. */
static const Builtin *find_builtin(const char *attribute) {
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (!strcmp(builtins[i].attribute, attribute)) return &builtins[i];
    return NULL;
}

/* Of ushort, uint, what else they are called, and their vectors; 0 for other types. */
static unsigned component_count(const char *type) {
    static const char *const names[] = {"ushort", "uint16_t", "uint32_t", "uint"};
    if (!strncmp(type, "metal::", 7)) type += 7;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rest = type + strlen(names[i]);
        if (strncmp(type, names[i], strlen(names[i]))) continue;
        if (!*rest) return 1;
        return (*rest == '2' || *rest == '3') && !rest[1] ? (unsigned)(*rest - '0') : 0;
    }
    if (!strcmp(type, "unsigned") || !strcmp(type, "unsigned int")) return 1;
    return 0;
}

/* How many indices there are of an attribute. */
static unsigned index_count(const char *attribute) {
    if (!strcmp(attribute, "texture")) return BIND_TEXTURES;
    if (!strcmp(attribute, "sampler")) return BIND_SAMPLERS;
    return strcmp(attribute, "function_constant") ? BIND_INDICES : UINT32_MAX;
}

/* (n), where it is known; the current token is the '('. */
static bool read_index(Reader *reader, BoundParameter *parameter) {
    int line = reader->token.line;
    Reader start = *reader;
    reader_next(reader);
    parameter->has_index = read_number(reader, &parameter->index);
    if (!parameter->has_index) *reader = start;
    if (!parameter->has_index) reader_skip_parentheses(reader);
    unsigned count = index_count(parameter->attribute);
    if (parameter->has_index && parameter->index >= count)
        return reader_refuse(reader, line, "expected an index from 0 to %u", count - 1);
    return !parameter->has_index || reader_expect(reader, ")");
}

/* name, or name(n); of `user(…)` and of `function_constant(flag)` beside a buffer nothing stays. */
static bool read_attribute_name(Reader *reader, BoundParameter *parameter) {
    int line = reader->token.line;
    const char *before = parameter->attribute;
    parameter->attribute = "";
    if (!token_is_word(&reader->token))
        return reader_refuse(reader, line, "expected an attribute's name");
    if (!reader_append(reader, &parameter->attribute, &reader->token)) return false;
    reader_next(reader);
    const char *name = parameter->attribute;
    if (!strcmp(name, "thread_execution_width"))
        parameter->attribute = "threads_per_simdgroup"; /* its name since Metal 2.1 */
    bool is_condition = !strcmp(name, "function_constant") && *parameter->type;
    if (is_condition || !strcmp(name, "user") || !strcmp(name, "maybe_unused")) {
        parameter->optional |= is_condition;
        parameter->attribute = before;
        if (token_is(&reader->token, "(")) reader_skip_parentheses(reader);
        return true;
    }
    if (*before) return reader_refuse(reader, line, "more than one attribute");
    if (!token_is(&reader->token, "(")) return true;
    if (!read_index(reader, parameter)) return false;
    return parameter->has_index || !strcmp(name, "function_constant") ||
           reader_refuse(reader, line,
                         "[[%s(…)]] has no index that is known: expected one from 0 to %u", name,
                         index_count(name) - 1);
}

bool read_attribute(Reader *reader, BoundParameter *parameter) {
    size_t begin = reader_offset(reader, &reader->token);
    if (!reader_expect(reader, "[") || !reader_expect(reader, "[")) return false;
    while (!token_is(&reader->token, "]")) {
        if (!read_attribute_name(reader, parameter)) return false;
        if (token_is(&reader->token, ",")) reader_next(reader);
    }
    reader_next(reader);
    parameter->begin = begin;
    parameter->end = reader_offset(reader, &reader->token) + 1;
    return reader_expect(reader, "]");
}

typedef struct Declarator {
    bool is_device, is_constant, is_threadgroup, is_const, is_pointer, is_reference, is_array;
} Declarator;

/* `typedef unsigned int u32;` after its first word: what the name stands for goes to *type. */
static bool read_typedef(Reader *reader, const char *name, const char **type) {
    const char *words = "";
    Token last = {0};
    for (; reader->token.text && !token_is(&reader->token, ";"); reader_next(reader)) {
        if (last.text && !reader_append(reader, &words, &last)) return false;
        last = reader->token;
    }
    if (last.text && token_is(&last, name)) *type = words;
    return true;
}

/* `using u32 = unsigned int;` the same. */
static bool read_using(Reader *reader, const char *name, const char **type) {
    const char *words = "";
    bool is_it = token_is(&reader->token, name);
    reader_next(reader);
    if (!is_it || !token_is(&reader->token, "=")) return true;
    for (reader_next(reader); reader->token.text && !token_is(&reader->token, ";");
         reader_next(reader))
        if (!reader_append(reader, &words, &reader->token)) return false;
    *type = words;
    return true;
}

enum { MOST_ALIASES = 8 };

/* What a name of the file's own stands for, through other such names. */
static bool resolve_type(Reader *outer, const char **type) {
    for (int i = 0; i < MOST_ALIASES && !component_count(*type); i++) {
        const char *name = *type;
        Reader reader = reader_start_file(outer->file);
        while (reader.token.text) {
            bool is_typedef = token_is(&reader.token, "typedef");
            bool is_using = token_is(&reader.token, "using");
            reader_next(&reader);
            if ((is_typedef && !read_typedef(&reader, name, type)) ||
                (is_using && !read_using(&reader, name, type)))
                return false;
        }
    }
    return true;
}

static bool check_builtin(Reader *reader, int line, BoundParameter *parameter) {
    const Builtin *builtin = find_builtin(parameter->attribute);
    if (parameter->has_index)
        return reader_refuse(reader, line, "[[%s]] has no index", parameter->attribute);
    if (!resolve_type(reader, &parameter->type)) return false;
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

const char *handle_attribute(const char *type) {
    static const char *const skipped[] = {"metal::", "array<", "metal::"};
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
        if (!strncmp(type, skipped[i], strlen(skipped[i]))) type += strlen(skipped[i]);
    if (!strncmp(type, "texture", 7) || !strncmp(type, "depth2d", 7) ||
        !strncmp(type, "depthcube", 9))
        return "texture";
    return !strncmp(type, "sampler", 7) && !is_word_character(type[7]) ? "sampler" : "";
}

/* Textures of which the SIMT target knows nothing. */
static bool check_texture(Reader *reader, int line, const BoundParameter *parameter) {
    static const char *const others[] = {"2d_ms_array", "array_ref<"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strstr(parameter->type, others[i]))
            return reader_refuse(reader, line, "'%s': %s is not supported", parameter->name,
                                 parameter->type);
    return true;
}

/* What a parameter without an [[attribute]] has. */
static void number_later(const Declarator *d, BoundParameter *parameter) {
    bool is_memory = d->is_device || d->is_constant || d->is_threadgroup;
    const char *attribute = is_memory ? d->is_threadgroup ? "threadgroup" : "buffer"
                                      : handle_attribute(parameter->type);
    if (*parameter->attribute || !*attribute) return;
    parameter->numbered = true;
    parameter->index = UNNUMBERED;
    parameter->attribute = attribute;
}

static bool classify_buffer(Reader *reader, int line, const Declarator *d,
                            BoundParameter *parameter) {
    bool is_pointer = d->is_pointer || d->is_array;
    if (d->is_device ? is_pointer || d->is_reference : is_pointer && d->is_constant) {
        parameter->kind = BOUND_BUFFER;
        parameter->writable = d->is_device && !d->is_const;
        return true;
    }
    parameter->kind = BOUND_CONSTANT;
    return (d->is_reference && d->is_constant) ||
           reader_refuse(reader, line,
                         "'%s' must be a device or constant pointer, or a constant reference",
                         parameter->name);
}

static bool classify(Reader *reader, int line, const Declarator *d, BoundParameter *parameter) {
    parameter->constant = d->is_constant;
    parameter->reference = d->is_reference;
    parameter->array = d->is_array;
    number_later(d, parameter);
    const char *attribute = parameter->attribute;
    if (!attribute[0])
        return reader_refuse(reader, line, "parameter '%s' has no [[attribute]]", parameter->name);
    bool is_texture = !strcmp(attribute, "texture"), is_sampler = !strcmp(attribute, "sampler");
    bool is_buffer = !strcmp(attribute, "buffer"), is_scratch = !strcmp(attribute, "threadgroup");
    bool is_resource = is_buffer || is_scratch || is_texture || is_sampler;
    if (is_resource && !parameter->numbered && !parameter->has_index)
        return reader_refuse(reader, line, "[[%s]] needs an index", attribute);
    if (is_buffer) return classify_buffer(reader, line, d, parameter);
    if (is_scratch) {
        parameter->kind = BOUND_THREADGROUP;
        if ((d->is_pointer || d->is_reference) && d->is_threadgroup) return true;
        return reader_refuse(reader, line, "'%s' must be a threadgroup pointer", parameter->name);
    }
    parameter->kind = is_texture ? BOUND_TEXTURE : is_sampler ? BOUND_SAMPLER : BOUND_BUILTIN;
    if (!is_resource && !find_builtin(attribute))
        return reader_refuse(reader, line, "attribute [[%s]] is not supported", attribute);
    if (d->is_pointer || d->is_reference)
        return reader_refuse(reader, line, "'%s' must be a value", parameter->name);
    parameter->writable = is_texture && (strstr(parameter->type, "::write") ||
                                         strstr(parameter->type, "::read_write"));
    if (is_texture || is_sampler) return check_texture(reader, line, parameter);
    return check_builtin(reader, line, parameter);
}

static bool note_word(Reader *reader, int line, Declarator *d, BoundParameter *parameter,
                      bool *is_known) {
    const Token *token = &reader->token;
    *is_known = true;
    if (token_is(token, "device"))
        d->is_device = true;
    else if (token_is(token, "constant"))
        d->is_constant = true;
    else if (token_is(token, "threadgroup"))
        d->is_threadgroup = true;
    else if (token_is(token, "const"))
        d->is_const = true;
    else if (token_is(token, "&"))
        d->is_reference = true;
    else if (token_is(token, "*")) {
        if (d->is_pointer)
            return reader_refuse(reader, line, "pointers to pointers are not supported");
        d->is_pointer = true;
        parameter->star = reader_offset(reader, token) + 1;
    } else
        *is_known = token_is(token, "volatile") || token_is(token, "thread");
    return true;
}

/* `coherent`, `coherent(system)`, `__attribute__((…))`: nothing that is missed here. */
static bool skip_qualifier(Reader *reader) {
    if (!token_is(&reader->token, "coherent") && !token_is(&reader->token, "__attribute__"))
        return false;
    reader_next(reader);
    if (token_is(&reader->token, "(")) reader_skip_parentheses(reader);
    return true;
}

/* [4] after the name: see words.c. */
static bool skip_extent(Reader *reader, Declarator *d) {
    d->is_array = true;
    reader_skip_to_bracket(reader);
    return reader_expect(reader, "]");
}

/* `(&name)` or `(*name)`, of arrays whose extents follow. */
static bool read_name_of_array(Reader *reader, Declarator *d, Token *name) {
    Reader start = *reader;
    reader_next(reader);
    d->is_reference = token_is(&reader->token, "&");
    bool is_known = d->is_reference || token_is(&reader->token, "*");
    reader_next(reader);
    *name = reader->token;
    reader_next(reader);
    if (is_known && token_is_word(name) && reader_expect(reader, ")")) return true;
    return reader_refuse(&start, start.token.line, "expected 'type (&name)[n]'");
}

static bool is_attribute(const Reader *reader) {
    return token_is(&reader->token, "[") && reader->at < reader->end && *reader->at == '[';
}

/* It goes. */
static bool read_parameter_attribute(Reader *reader, BoundParameter *parameter) {
    return read_attribute(reader, parameter) &&
           reader_edit(reader, parameter->begin, parameter->end, "");
}

/* One parameter, up to but not including the ',' or ')' after it. */
static bool read_parameter(Reader *reader, BoundParameter *parameter) {
    int line = reader->token.line;
    Declarator d = {0};
    Token last = {0};
    Depth depth = {0};
    while (reader->token.text) {
        Token token = reader->token;
        bool is_known = false, is_outside = !depth.angle && !depth.parenthesis;
        if (is_outside && (token_is(&token, ",") || token_is(&token, ")"))) break;
        if (is_outside && is_attribute(reader)) {
            if (!read_parameter_attribute(reader, parameter)) return false;
            continue;
        }
        if (skip_qualifier(reader)) continue;
        if (is_outside && token_is(&token, "[")) {
            if (!skip_extent(reader, &d)) return false;
            continue;
        }
        if (is_outside && token_is(&token, "(") && last.text && !token_is(&last, "decltype")) {
            if (!reader_append(reader, &parameter->type, &last) ||
                !read_name_of_array(reader, &d, &last))
                return false;
            continue;
        }
        depth_count(&depth, &token);
        if (is_outside && !note_word(reader, line, &d, parameter, &is_known)) return false;
        if (!is_known) {
            if (last.text && !reader_append(reader, &parameter->type, &last)) return false;
            last = token;
        }
        reader_next(reader);
    }
    if (!last.text || !*parameter->type)
        return reader_refuse(reader, line, "a kernel's parameter needs a type and a name");
    return reader_append(reader, &parameter->name, &last) && classify(reader, line, &d, parameter);
}

static bool same_slot(const BoundParameter *a, const BoundParameter *b) {
    if (a->kind == BOUND_BUILTIN || b->kind == BOUND_BUILTIN) return false;
    return a->index == b->index && a->index != UNNUMBERED && !strcmp(a->attribute, b->attribute);
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

static bool agrees(Reader *reader, const BoundKernel *kernel, const BoundParameter *parameter) {
    for (unsigned i = 0; i < kernel->count; i++) {
        if (same_slot(&kernel->parameter[i], parameter))
            return reader_refuse(reader, reader->token.line, "'%s' and '%s' have the same index",
                                 kernel->parameter[i].name, parameter->name);
        if (!builtins_agree(reader, reader->token.line, &kernel->parameter[i], parameter))
            return false;
    }
    return true;
}

/* Into kernel->parameter, which grows; the file keeps a copy. */
static bool read_list(Reader *reader, BoundKernel *kernel) {
    while (reader->token.text && !token_is(&reader->token, ")")) {
        BoundParameter parameter = {
            .name = "", .type = "", .attribute = "", .line = reader->token.line};
        if (!read_parameter(reader, &parameter) || !agrees(reader, kernel, &parameter))
            return false;
        if (!reader_grow(reader, &kernel->parameter, kernel->count, sizeof parameter)) return false;
        kernel->parameter[kernel->count++] = parameter;
        if (token_is(&reader->token, ",")) reader_next(reader);
    }
    return true;
}

static bool read_parameters(Reader *reader, BoundKernel *kernel) {
    bool is_read = read_list(reader, kernel);
    BoundParameter *list = kernel->parameter;
    if (is_read) number_parameters(kernel);
    kernel->parameter = is_read ? (BoundParameter *)(uintptr_t)reader_keep(
                                      reader, (const char *)list, kernel->count * sizeof *list)
                                : NULL;
    free(list);
    return is_read && reader_expect(reader, ")");
}

/* Note what the parameters ask of the text. */
static bool edit_parameters(Reader *reader, const BoundKernel *kernel) {
    for (unsigned p = 0; p < kernel->count; p++) {
        const BoundParameter *parameter = &kernel->parameter[p];
        if (parameter->kind == BOUND_BUFFER && parameter->star &&
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

void name_kernel(Reader *reader, BoundKernel *kernel, const char *host_name) {
    kernel->name = host_name ? host_name : kernel->function;
    char *symbol = (char *)(uintptr_t)reader_keep(reader, kernel->name, strlen(kernel->name));
    kernel->symbol = symbol;
    for (; *symbol; symbol++)
        if (!is_word_character(*symbol)) *symbol = '_';
}

/* `void name`, to the '('. */
static bool read_name(Reader *reader, BoundKernel *kernel, BoundTemplate *template) {
    const char *type = "", *name = reader->scope;
    Token last = {0};
    kernel->line = reader->token.line;
    while (token_is_word(&reader->token)) {
        if (last.text && !reader_append(reader, &type, &last)) return false;
        last = reader->token;
        if (template) {
            template->name = reader_place(reader);
            template->behind_name = reader_place_behind(reader);
        }
        kernel->line = last.line;
        reader_next(reader);
    }
    if (!last.text) return reader_refuse(reader, kernel->line, "expected the kernel's name");
    if (!reader_append(reader, &name, &last)) return false;
    kernel->function = name;
    return !strcmp(type, "void") || reader_refuse(reader, kernel->line, "a kernel returns void");
}

bool read_kernel(Reader *reader, const Lead *lead, BoundTemplate *template, BoundKernel *kernel) {
    bool is_named = read_name(reader, kernel, template);
    if (kernel->function) name_kernel(reader, kernel, lead->host_name);
    if (!is_named) return false;
    if (!reader_expect(reader, "(") || !read_parameters(reader, kernel)) return false;
    if (!edit_parameters(reader, kernel)) return false;
    reader->body = template ? TEMPLATE_BODY : KERNEL_BODY;
    if (!template) return add_kernel(reader, kernel);
    template->kernel = *kernel;
    return true;
}

bool take_input(Reader *reader) {
    Reader start = *reader;
    BoundInput input = {.begin = reader_offset(reader, &reader->token),
                        .line = reader->token.line,
                        .type = "",
                        .name = ""};
    Token last = {0};
    for (; token_is_word(&reader->token) || token_is(&reader->token, ":"); reader_next(reader)) {
        if (last.text && !reader_append(reader, &input.type, &last)) return false;
        last = reader->token;
    }
    BoundParameter attribute = {.name = "", .type = "", .attribute = ""};
    bool is_input = last.text && *input.type && is_attribute(reader) &&
                    read_attribute(reader, &attribute) && token_is(&reader->token, ";") &&
                    find_builtin(attribute.attribute) && reader_append(reader, &input.name, &last);
    if (is_input) {
        input.attribute = attribute.attribute;
        input.end = reader_offset(reader, &reader->token) + 1;
        BoundFile *file = reader->file;
        if (!reader_grow(reader, &file->inputs, file->input_count, sizeof input)) return false;
        file->inputs[file->input_count++] = input;
        return true;
    }
    start.file->error[0] = 0;
    *reader = start;
    return false;
}
