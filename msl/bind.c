#include "bind.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* --- tokens: identifiers, numbers and single characters; comments and # lines are skipped --- */

typedef struct Token {
    const char *text; /* into the file; NULL at the end */
    size_t length;
    int line;
} Token;

typedef struct Reader {
    BoundFile *file;
    const char *at, *end;
    int line;
    const char *path; /* of the line, which is another file's where that was included */
    int path_length;
    Token token; /* the current one */
} Reader;

static bool refuse(Reader *reader, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(Reader *reader, int line, const char *format, ...) {
    BoundFile *file = reader->file;
    if (file->error[0]) return false;
    int used = snprintf(file->error, sizeof file->error, "%.*s:%d: ", reader->path_length,
                        reader->path, line);
    if (used < 0 || (size_t)used >= sizeof file->error) return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(file->error + used, sizeof file->error - (size_t)used, format, arguments);
    va_end(arguments);
    return false;
}

static void skip_line(Reader *reader) {
    while (reader->at < reader->end && *reader->at != '\n') {
        if (*reader->at == '\\' && reader->at + 1 < reader->end && reader->at[1] == '\n') {
            reader->line++;
            reader->at++;
        }
        reader->at++;
    }
}

/* A line that starts with #; the preprocessor's own, # 12 "file", say where what follows comes
 * from. */
static void skip_directive(Reader *reader) {
    const char *digits = reader->at + 1;
    char *rest;
    if (!strncmp(digits, "line", 4)) digits += 4;
    unsigned long line = strtoul(digits, &rest, 10);
    bool marker = rest != digits && rest[0] == ' ' && rest[1] == '"';
    if (marker) {
        reader->path = rest + 2;
        reader->path_length = (int)strcspn(reader->path, "\"\n");
    }
    skip_line(reader);
    if (marker) reader->line = (int)line - 1;
}

static void skip_comment(Reader *reader) {
    reader->at += 2;
    while (reader->at + 1 < reader->end && !(reader->at[0] == '*' && reader->at[1] == '/'))
        if (*reader->at++ == '\n') reader->line++;
    reader->at = reader->at + 2 < reader->end ? reader->at + 2 : reader->end;
}

static void skip_blank(Reader *reader) {
    while (reader->at < reader->end) {
        const char *c = reader->at;
        bool two = c + 1 < reader->end;
        if (*c == '\n') {
            reader->line++;
            reader->at++;
        } else if (isspace((unsigned char)*c)) {
            reader->at++;
        } else if (*c == '#') {
            skip_directive(reader);
        } else if (two && c[0] == '/' && c[1] == '/') {
            skip_line(reader);
        } else if (two && c[0] == '/' && c[1] == '*') {
            skip_comment(reader);
        } else {
            return;
        }
    }
}

static bool word_character(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static void next(Reader *reader) {
    skip_blank(reader);
    Token *token = &reader->token;
    *token = (Token){.line = reader->line};
    if (reader->at == reader->end) return;
    token->text = reader->at;
    if (word_character(*reader->at)) {
        while (reader->at < reader->end && word_character(*reader->at))
            reader->at++;
    } else if (*reader->at == '"') {
        for (reader->at++; reader->at < reader->end && *reader->at != '"'; reader->at++)
            if (*reader->at == '\\') reader->at++;
        reader->at = reader->at < reader->end ? reader->at + 1 : reader->end;
    } else {
        reader->at++;
    }
    token->length = (size_t)(reader->at - token->text);
}

static bool is(const Token *token, const char *text) {
    return token->text && strlen(text) == token->length &&
           memcmp(token->text, text, token->length) == 0;
}

static bool is_word(const Token *token) {
    return token->text && (isalpha((unsigned char)*token->text) || *token->text == '_');
}

static size_t offset(const Reader *reader, const Token *token) {
    return (size_t)(token->text - reader->file->text);
}

/* Where the current token begins. */
static BoundPlace place(const Reader *reader) {
    return (BoundPlace){offset(reader, &reader->token), reader->path, reader->path_length,
                        reader->token.line};
}

/* Just behind the current token, which ends in the line where it begins. */
static BoundPlace place_behind(const Reader *reader) {
    BoundPlace behind = place(reader);
    behind.at += reader->token.length;
    return behind;
}

/* Append a token to `words`, separated by a blank where two words meet. */
static bool append(Reader *reader, char *words, size_t size, const Token *token) {
    size_t used = strlen(words);
    bool blank = used && word_character(words[used - 1]) && word_character(*token->text);
    if (used + blank + token->length + 1 > size)
        return refuse(reader, token->line, "name or type longer than %zu characters", size - 1);
    if (blank) words[used++] = ' ';
    memcpy(words + used, token->text, token->length);
    words[used + token->length] = 0;
    return true;
}

static bool expect(Reader *reader, const char *text) {
    if (!is(&reader->token, text)) return refuse(reader, reader->token.line, "expected '%s'", text);
    next(reader);
    return true;
}

static void *grow(void *array, size_t count, size_t size) {
    void *larger = realloc(array, (count + 1) * size);
    if (!larger) {
        fputs("bind: out of memory\n", stderr);
        abort();
    }
    return larger;
}

static void add_edit(Reader *reader, size_t begin, size_t end, const char *insert) {
    BoundFile *file = reader->file;
    file->edits = grow(file->edits, file->edit_count, sizeof *file->edits);
    file->edits[file->edit_count++] = (BoundEdit){begin, end, insert};
}

/* --- kernel signatures --- */

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

/* The rest of an attribute that is left out. */
static void skip_to_bracket(Reader *reader) {
    while (reader->token.text && !is(&reader->token, "]"))
        next(reader);
}

/* [[name]] or [[name(n)]]; the current token is the first '['. What may follow behind a comma, as
 * function_constant(flag) does, is left out. */
static bool read_attribute(Reader *reader, BoundParameter *parameter) {
    int line = reader->token.line;
    parameter->begin = offset(reader, &reader->token);
    if (!expect(reader, "[") || !expect(reader, "[")) return false;
    if (parameter->attribute[0]) return refuse(reader, line, "more than one attribute");
    if (!is_word(&reader->token)) return refuse(reader, line, "expected an attribute's name");
    append(reader, parameter->attribute, sizeof parameter->attribute, &reader->token);
    next(reader);
    if (is(&reader->token, "(")) {
        next(reader);
        char *rest;
        unsigned long index = reader->token.text ? strtoul(reader->token.text, &rest, 10) : 0;
        if (!reader->token.text || rest != reader->token.text + reader->token.length || index > 30)
            return refuse(reader, line, "expected an index from 0 to 30");
        parameter->index = (unsigned)index;
        parameter->has_index = true;
        next(reader);
        if (!expect(reader, ")")) return false;
    }
    if (is(&reader->token, ",")) skip_to_bracket(reader);
    if (!strcmp(parameter->attribute, "thread_execution_width"))
        strcpy(parameter->attribute, "threads_per_simdgroup"); /* its name since Metal 2.1 */
    if (!expect(reader, "]")) return false;
    parameter->end = offset(reader, &reader->token) + 1;
    return expect(reader, "]");
}

typedef struct Declarator {
    bool is_device, is_constant, is_threadgroup, is_const, is_pointer, is_reference;
} Declarator;

static bool check_builtin(Reader *reader, int line, const BoundParameter *parameter) {
    const Builtin *builtin = find_builtin(parameter->attribute);
    if (parameter->has_index)
        return refuse(reader, line, "[[%s]] has no index", parameter->attribute);
    unsigned components = component_count(parameter->type);
    if (components == 1 || (components && builtin->vector)) return true;
    return refuse(reader, line, "'%s' must be ushort or uint%s", parameter->name,
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
        return refuse(reader, line, "'%s' and '%s' are both [[%s]]", a->name, b->name,
                      a->attribute);
    if (twin && !strcmp(twin, b->attribute) && strcmp(a->type, b->type))
        return refuse(reader, line, "'%s' and '%s' must have the same type", a->name, b->name);
    if (!left->vector || !right->vector || component_count(a->type) == component_count(b->type))
        return true;
    return refuse(reader, line, "'%s' and '%s' must have as many components as each other", a->name,
                  b->name);
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
        return refuse(reader, line, "parameter '%s' has no [[attribute]]", parameter->name);
    bool is_resource = !strcmp(attribute, "buffer") || !strcmp(attribute, "threadgroup");
    if (is_resource && !parameter->numbered && !parameter->has_index)
        return refuse(reader, line, "[[%s]] needs an index", attribute);
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
        return refuse(reader, line,
                      "'%s' must be a device or constant pointer, or a constant "
                      "reference",
                      parameter->name);
    }
    if (!strcmp(attribute, "threadgroup")) {
        parameter->kind = BOUND_THREADGROUP;
        if ((d->is_pointer || d->is_reference) && d->is_threadgroup) return true;
        return refuse(reader, line, "'%s' must be a threadgroup pointer", parameter->name);
    }
    parameter->kind = BOUND_BUILTIN;
    if (!find_builtin(attribute))
        return refuse(reader, line, "attribute [[%s]] is not supported", attribute);
    if (d->is_pointer || d->is_reference)
        return refuse(reader, line, "'%s' must be a value", parameter->name);
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
        if (angle == 0 && (is(&token, ",") || is(&token, ")"))) break;
        if (is(&token, "[")) {
            if (!read_attribute(reader, parameter)) return false;
            continue;
        }
        angle += is(&token, "<") - is(&token, ">");
        if (is(&token, "device"))
            d.is_device = true;
        else if (is(&token, "constant"))
            d.is_constant = true;
        else if (is(&token, "threadgroup"))
            d.is_threadgroup = true;
        else if (is(&token, "const"))
            d.is_const = true;
        else if (is(&token, "&"))
            d.is_reference = true;
        else if (is(&token, "*")) {
            if (d.is_pointer) return refuse(reader, line, "pointers to pointers are not supported");
            d.is_pointer = true;
            parameter->star = offset(reader, &token) + 1;
        } else {
            if (last.text && !append(reader, parameter->type, sizeof parameter->type, &last))
                return false;
            last = token;
        }
        next(reader);
    }
    if (!last.text || !parameter->type[0]) return refuse(reader, line, "expected 'type name'");
    append(reader, parameter->name, sizeof parameter->name, &last);
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
    size_t begin = offset(reader, &reader->token);
    next(reader);
    skip_to_bracket(reader);
    if (!expect(reader, "]")) return false;
    add_edit(reader, begin, offset(reader, &reader->token) + 1, "");
    return expect(reader, "]");
}

static bool read_parameters(Reader *reader, BoundKernel *kernel) {
    while (reader->token.text && !is(&reader->token, ")")) {
        if (kernel->count == BIND_PARAMETERS)
            return refuse(reader, kernel->line, "more than %d parameters", BIND_PARAMETERS);
        BoundParameter *parameter = &kernel->parameter[kernel->count];
        if (!read_parameter(reader, parameter)) return false;
        for (unsigned i = 0; i < kernel->count; i++) {
            if (same_slot(&kernel->parameter[i], parameter))
                return refuse(reader, reader->token.line, "'%s' and '%s' have the same index",
                              kernel->parameter[i].name, parameter->name);
            if (!builtins_agree(reader, reader->token.line, &kernel->parameter[i], parameter))
                return false;
        }
        kernel->count++;
        if (is(&reader->token, ",")) next(reader);
    }
    number_parameters(kernel);
    return expect(reader, ")");
}

/* Note what the parameters ask of the text. */
static void edit_parameters(Reader *reader, const BoundKernel *kernel) {
    for (unsigned p = 0; p < kernel->count; p++) {
        const BoundParameter *parameter = &kernel->parameter[p];
        if (!parameter->numbered) add_edit(reader, parameter->begin, parameter->end, "");
        if (parameter->kind == BOUND_BUFFER && !parameter->reference)
            add_edit(reader, parameter->star, parameter->star, "MSL_RESTRICT ");
    }
}

static void add_kernel(BoundFile *file, const BoundKernel *kernel) {
    file->kernels = grow(file->kernels, file->kernel_count, sizeof *kernel);
    file->kernels[file->kernel_count++] = *kernel;
}

/* `void name(…)`; the current token is the one behind `kernel`. `template` gets all but where it
 * begins and ends; NULL for a kernel that is none. */
static bool read_kernel(Reader *reader, BoundTemplate *template) {
    if (is(&reader->token, "[") && !skip_attribute(reader)) return false;
    if (!is(&reader->token, "void"))
        return refuse(reader, reader->token.line, "a kernel returns void");
    next(reader);
    BoundKernel kernel = {.line = reader->token.line};
    if (!is_word(&reader->token)) return refuse(reader, kernel.line, "expected the kernel's name");
    append(reader, kernel.name, sizeof kernel.name, &reader->token);
    BoundPlace name = place(reader), behind_name = place_behind(reader);
    next(reader);
    if (!expect(reader, "(") || !read_parameters(reader, &kernel)) return false;
    edit_parameters(reader, &kernel);
    if (template) {
        template->kernel = kernel;
        template->name = name;
        template->behind_name = behind_name;
    } else {
        add_kernel(reader->file, &kernel);
    }
    return true;
}

static const char *const kernel_word = "kernel    "; /* as long as [[kernel]] */

/* At [[kernel]] or [[kernel, …]]? Then behind it. The current token is a '['. */
static bool take_kernel_attribute(Reader *reader) {
    Reader start = *reader;
    next(reader);
    if (is(&reader->token, "[")) {
        next(reader);
        if (is(&reader->token, "kernel")) {
            skip_to_bracket(reader);
            next(reader);
            add_edit(reader, offset(&start, &start.token), offset(reader, &reader->token) + 1,
                     kernel_word);
            next(reader);
            return true;
        }
    }
    *reader = start;
    return false;
}

/* --- templates --- */

/* How deep a token is in <…> and in (…), where < and > compare. */
typedef struct Depth {
    int angle, parenthesis;
} Depth;

static void count_depth(Depth *depth, const Token *token) {
    depth->parenthesis += is(token, "(") - is(token, ")");
    if (!depth->parenthesis) depth->angle += is(token, "<") - is(token, ">");
}

/* Behind `template <…>`; the current token is the '<'. */
static void skip_angles(Reader *reader) {
    Depth depth = {0};
    do {
        count_depth(&depth, &reader->token);
        next(reader);
    } while (depth.angle > 0 && reader->token.text);
}

/* The name in [[host_name("name")]]; the current token is the first '['. */
static bool read_host_name(Reader *reader, BoundKernel *instance) {
    int line = reader->token.line;
    if (!expect(reader, "[") || !expect(reader, "[")) return false;
    if (!is(&reader->token, "host_name"))
        return refuse(reader, line, "expected [[host_name(\"…\")]]");
    next(reader);
    if (!expect(reader, "(")) return false;
    Token name = reader->token;
    next(reader);
    if (!name.text || name.length < 3 || *name.text != '"' ||
        name.length - 2 >= sizeof instance->name)
        return refuse(reader, line, "expected a kernel's name in quotes");
    for (size_t i = 1; i + 1 < name.length; i++)
        if (!word_character(name.text[i]))
            return refuse(reader, line,
                          "a host name with other characters than letters, digits and _ "
                          "is not supported");
    memcpy(instance->name, name.text + 1, name.length - 2);
    return expect(reader, ")") && expect(reader, "]") && expect(reader, "]");
}

/* An instance takes its parameters from the template called `name`. */
static bool add_instance(Reader *reader, const BoundKernel *instance, const Token *name) {
    BoundFile *file = reader->file;
    for (size_t i = 0; i < file->template_count; i++) {
        if (!is(name, file->templates[i].kernel.name)) continue;
        BoundKernel kernel = file->templates[i].kernel;
        memcpy(kernel.name, instance->name, sizeof kernel.name);
        memcpy(kernel.instance, instance->instance, sizeof kernel.instance);
        add_kernel(file, &kernel);
        return true;
    }
    return refuse(reader, instance->line, "'%.*s' is no kernel template", (int)name->length,
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
    return refuse(reader, instance->line, "'%s': decltype(…) must name the same instance",
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
    while (reader->token.text && !is(&reader->token, ";")) {
        if (is(&reader->token, "<") && !parentheses && is_word(&last)) {
            size_t from = offset(reader, &last);
            skip_angles(reader);
            const char *end = reader->token.text ? reader->token.text : reader->end;
            size_t length = (size_t)(end - reader->file->text) - from;
            if (length >= sizeof kernel.instance)
                return refuse(reader, kernel.line, "template arguments too long");
            memcpy(kernel.instance, reader->file->text + from, length);
            kernel.instance[length] = 0;
            instance.types = from + length;
            name = last;
            continue;
        }
        if (is(&reader->token, "(") && is(&last, "decltype"))
            type_begin = type_end = offset(reader, &reader->token) + 1;
        parentheses += is(&reader->token, "(") - is(&reader->token, ")");
        if (type_begin == type_end && type_begin && !parentheses)
            type_end = offset(reader, &reader->token);
        last = reader->token;
        next(reader);
    }
    if (!reader->token.text || !name.text)
        return refuse(reader, kernel.line, "expected an instance of a kernel template");
    if (!check_decltype(reader, &kernel, type_begin, type_end)) return false;
    instance.end = place_behind(reader);
    add_edit(reader, begin.at, instance.end.at, "");
    BoundFile *file = reader->file;
    file->instances = grow(file->instances, file->instance_count, sizeof instance);
    file->instances[file->instance_count++] = instance;
    return add_instance(reader, &kernel, &name);
}

/* The current token is the '<' behind `template`, which is at `begin`. */
static bool read_kernel_template(Reader *reader, BoundPlace begin) {
    BoundTemplate template = {.begin = begin, .parameters = offset(reader, &reader->token)};
    skip_angles(reader);
    if (!is(&reader->token, "[") || !take_kernel_attribute(reader)) {
        if (!is(&reader->token, "kernel")) return true;
        next(reader);
    }
    if (!read_kernel(reader, &template)) return false;
    if (!is(&reader->token, "{") && !is(&reader->token, ";"))
        return refuse(reader, reader->token.line, "expected the body of kernel template '%s'",
                      template.kernel.name);
    BoundFile *file = reader->file;
    file->templates = grow(file->templates, file->template_count, sizeof template);
    file->templates[file->template_count++] = template;
    return true;
}

/* Outside of all braces the current token ends what it ends: the last template, if that is open. */
static void end_template(Reader *reader) {
    BoundFile *file = reader->file;
    bool body = is(&reader->token, "}");
    if (!file->template_count || (!body && !is(&reader->token, ";"))) return;
    BoundTemplate *template = &file->templates[file->template_count - 1];
    if (template->end.at) return;
    template->end = place_behind(reader);
    template->has_body = body;
}

/* The current token is `template`. */
static bool read_template(Reader *reader) {
    BoundPlace begin = place(reader);
    next(reader);
    if (is(&reader->token, "[")) return read_instance(reader, begin);
    if (is(&reader->token, "<")) return read_kernel_template(reader, begin);
    if (!is(&reader->token, "kernel")) return true; /* an instance of a function's */
    return refuse(reader, begin.line,
                  "an instance of a kernel template needs [[host_name(\"…\")]]");
}

/* --- function constants --- */

/* Is `constant`, the current token, the start of a function constant? Then read it. */
static bool take_function_constant(Reader *reader) {
    Reader start = *reader;
    BoundFunctionConstant constant = {.begin = offset(reader, &reader->token),
                                      .line = reader->line};
    Token last = {0};
    next(reader);
    while (is_word(&reader->token)) {
        if (last.text && !append(reader, constant.type, sizeof constant.type, &last)) return false;
        last = reader->token;
        next(reader);
    }
    BoundParameter attribute = {0};
    if (last.text && is(&reader->token, "[") && *reader->at == '[' &&
        read_attribute(reader, &attribute) && !strcmp(attribute.attribute, "function_constant") &&
        is(&reader->token, ";")) {
        append(reader, constant.name, sizeof constant.name, &last);
        constant.index = attribute.index;
        constant.end = offset(reader, &reader->token) + 1;
        BoundFile *file = reader->file;
        file->constants = grow(file->constants, file->constant_count, sizeof constant);
        file->constants[file->constant_count++] = constant;
        return true;
    }
    *reader = start;
    return false;
}

/* --- threadgroup variables in function bodies --- */

static void add_variable(Reader *reader, const BoundVariable *variable) {
    BoundFile *file = reader->file;
    file->variables = grow(file->variables, file->variable_count, sizeof *variable);
    file->variables[file->variable_count++] = *variable;
}

/* The [n] behind a variable's name, to the ',' or ';' behind them. */
static bool read_dimensions(Reader *reader, BoundVariable *variable) {
    int line = reader->token.line;
    *variable->dimensions = 0;
    while (reader->token.text && !is(&reader->token, ";") && !is(&reader->token, ",")) {
        if (is(&reader->token, "="))
            return refuse(reader, line, "a threadgroup variable has no initialiser");
        if (!append(reader, variable->dimensions, sizeof variable->dimensions, &reader->token))
            return false;
        next(reader);
    }
    if (!reader->token.text) return refuse(reader, line, "expected ';'");
    variable->end = offset(reader, &reader->token) + 1;
    return true;
}

/* `threadgroup type name[n]…, name…;` — the current token is `threadgroup`. Pointers and references
 * to threadgroup memory stay as they are, and member functions for objects in it. */
static bool read_variables(Reader *reader) {
    BoundVariable variable = {.begin = offset(reader, &reader->token)};
    int line = reader->token.line, angle = 0;
    Token last = {0};
    next(reader);
    if (is(&reader->token, "{") || is(&reader->token, ";")) return true; /* behind a function */
    while (reader->token.text &&
           (angle || (!is(&reader->token, "[") && !is(&reader->token, ";") &&
                      !is(&reader->token, ",") && !is(&reader->token, "=")))) {
        if (!angle &&
            (is(&reader->token, "*") || is(&reader->token, "&") || is(&reader->token, "(")))
            return true;
        angle += is(&reader->token, "<") - is(&reader->token, ">");
        if (last.text && !append(reader, variable.type, sizeof variable.type, &last)) return false;
        last = reader->token;
        next(reader);
    }
    if (!last.text) return refuse(reader, line, "expected a threadgroup variable");
    for (;;) {
        *variable.name = 0;
        append(reader, variable.name, sizeof variable.name, &last);
        if (!read_dimensions(reader, &variable)) return false;
        add_variable(reader, &variable);
        if (is(&reader->token, ";")) return true;
        variable.begin = variable.end;
        next(reader);
        last = reader->token;
        if (!is_word(&last)) return refuse(reader, line, "expected a threadgroup variable's name");
        next(reader);
    }
}

char *bind_load(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *text = NULL;
    size_t used = 0, read;
    do {
        char *larger = realloc(text, used + 65536 + 1);
        if (!larger) abort();
        text = larger;
        read = fread(text + used, 1, 65536, file);
        used += read;
    } while (read);
    fclose(file);
    text[used] = 0;
    *size = used;
    return text;
}

/* What the current token starts, outside of all braces. False if it is nothing to read. */
static bool read_declaration(Reader *reader, bool *read) {
    *read = true;
    const Token *token = &reader->token;
    if (is(token, "kernel")) {
        next(reader);
        return read_kernel(reader, NULL);
    }
    if (is(token, "[") && take_kernel_attribute(reader)) return read_kernel(reader, NULL);
    if (is(token, "template")) return read_template(reader);
    *read = is(token, "constant") && take_function_constant(reader);
    return !reader->file->error[0];
}

bool bind_read(BoundFile *file, const char *path, const char *text, size_t size) {
    *file = (BoundFile){.path = path, .text = text, .size = size};
    Reader reader = {.file = file,
                     .at = text,
                     .end = text + size,
                     .line = 1,
                     .path = path,
                     .path_length = (int)strlen(path)};
    int braces = 0, parentheses = 0;
    next(&reader);
    while (reader.token.text) {
        const Token *token = &reader.token;
        bool read = false;
        if (braces == 0 && parentheses == 0 && !read_declaration(&reader, &read)) return false;
        if (read) continue;
        if (is(token, "threadgroup") && braces > 0 && parentheses == 0 && !read_variables(&reader))
            return false;
        braces += is(token, "{") - is(token, "}");
        parentheses += is(token, "(") - is(token, ")");
        if (braces == 0 && parentheses == 0) end_template(&reader);
        if (token->line > file->last_line) file->last_line = token->line;
        next(&reader);
    }
    if (braces || parentheses) return refuse(&reader, reader.line, "unbalanced braces");
    return true;
}

void bind_free(BoundFile *file) {
    free(file->kernels);
    free(file->templates);
    free(file->instances);
    free(file->variables);
    free(file->constants);
    free(file->edits);
    *file = (BoundFile){0};
}

/* --- writing --- */

/* What the text is replaced by: one of three. */
typedef struct Edit {
    size_t begin, end;
    const char *insert;
    const BoundVariable *variable;
    const BoundFunctionConstant *constant;
} Edit;

static int compare_edits(const void *a, const void *b) {
    const Edit *left = a, *right = b;
    return left->begin < right->begin ? -1 : left->begin > right->begin;
}

/* All of a file's, in order. */
static Edit *collect_edits(const BoundFile *file, size_t *total) {
    size_t count = file->edit_count + file->variable_count + file->constant_count;
    Edit *edits = grow(NULL, count, sizeof *edits), *edit = edits;
    for (size_t i = 0; i < file->edit_count; i++)
        *edit++ =
            (Edit){file->edits[i].begin, file->edits[i].end, file->edits[i].insert, NULL, NULL};
    for (size_t i = 0; i < file->variable_count; i++)
        *edit++ = (Edit){file->variables[i].begin, file->variables[i].end, NULL,
                         &file->variables[i], NULL};
    for (size_t i = 0; i < file->constant_count; i++)
        *edit++ = (Edit){file->constants[i].begin, file->constants[i].end, NULL, NULL,
                         &file->constants[i]};
    qsort(edits, count, sizeof *edits, compare_edits);
    *total = count;
    return edits;
}

/* A comma in a type would end a macro's argument. */
static void write_variable(const BoundVariable *variable, FILE *out) {
    const char *type = variable->type;
    char element[96];
    if (strchr(type, ',')) {
        snprintf(element, sizeof element, "%s_element", variable->name);
        fprintf(out, "typedef %s %s; ", type, element);
        type = element;
    }
    fprintf(out, "MSL_THREADGROUP(%s, %s, %s);", type, variable->name, variable->dimensions);
}

static void write_edit(const Edit *edit, FILE *out) {
    if (edit->insert)
        fputs(edit->insert, out);
    else if (edit->variable)
        write_variable(edit->variable, out);
    else
        fprintf(out, "MSL_FUNCTION_CONSTANT(%s, %s, %u);", edit->constant->type,
                edit->constant->name, edit->constant->index);
}

/* The replaced text may span lines; keep their number, so that later lines keep theirs. */
static void write_newlines(const char *text, size_t begin, size_t end, FILE *out) {
    for (size_t i = begin; i < end; i++)
        if (text[i] == '\n') putc('\n', out);
}

static void write_text(const BoundFile *file, FILE *out) {
    size_t count, at = 0;
    Edit *edits = collect_edits(file, &count);
    for (size_t i = 0; i < count; i++) {
        fwrite(file->text + at, 1, edits[i].begin - at, out);
        write_edit(&edits[i], out);
        write_newlines(file->text, edits[i].begin, edits[i].end, out);
        at = edits[i].end;
    }
    fwrite(file->text + at, 1, file->size - at, out);
    free(edits);
}

static void write_argument(const BoundParameter *parameter, FILE *out) {
    const char *reference = parameter->reference ? "*" : "";
    switch (parameter->kind) {
    case BOUND_BUFFER:
        fprintf(out, "%sMSL_BUFFER(%u, %s%s)", reference, parameter->index,
                parameter->writable ? "" : "const ", parameter->type);
        break;
    case BOUND_CONSTANT:
        fprintf(out, "MSL_CONSTANT(%u, %s)", parameter->index, parameter->type);
        break;
    case BOUND_THREADGROUP:
        fprintf(out, "%sMSL_SCRATCH(%u, %s)", reference, parameter->index, parameter->type);
        break;
    case BOUND_BUILTIN:
        fprintf(out, "MSL_BUILTIN(%s, %s)", parameter->type, parameter->attribute);
        break;
    }
}

/* Of an instance of a template, whose parameters' types only the compiler knows. */
static void write_any_argument(const BoundParameter *parameter, FILE *out) {
    if (parameter->kind == BOUND_BUILTIN)
        fprintf(out, "MSL_ANY_BUILTIN(%s)", parameter->attribute);
    else if (parameter->kind == BOUND_THREADGROUP)
        fprintf(out, "MSL_ANY_SCRATCH(%u)", parameter->index);
    else
        fprintf(out, "MSL_ANY_BUFFER(%u)", parameter->index);
}

static void write_entry(const BoundKernel *kernel, FILE *out) {
    bool instance = *kernel->instance;
    fprintf(out, "\n%s(%s, (", instance ? "MSL_INSTANCE" : "MSL_ENTRY", kernel->name);
    for (unsigned p = 0; p < kernel->count; p++) {
        if (p) fputs(", ", out);
        if (instance)
            write_any_argument(&kernel->parameter[p], out);
        else
            write_argument(&kernel->parameter[p], out);
    }
    fprintf(out, ")%s%s)\n", instance ? ", " : "", kernel->instance);
}

void bind_write_source(const BoundFile *file, FILE *out) {
    fprintf(out, "#line 1 \"%s\"\n", file->path);
    write_text(file, out);
    for (size_t k = 0; k < file->kernel_count; k++)
        write_entry(&file->kernels[k], out);
    fputs("MSL_END\n", out);
}

/* --- writing for the strict check --- */

/* Go on in a line of its own as if at a place of the text, with blanks for what stands in front. */
static void write_place(const BoundFile *file, BoundPlace where, FILE *out) {
    const char *at = file->text + where.at, *line = at;
    while (line > file->text && line[-1] != '\n')
        line--;
    fprintf(out, "\n#line %d \"%.*s\"\n", where.line, where.path_length, where.path);
    for (; line < at; line++)
        putc(*line == '\t' ? '\t' : ' ', out);
}

/* For a part of what was read at `place`. */
static Reader start_reader(BoundFile *file, BoundPlace place, const char *text, const char *end) {
    Reader reader = {.file = file,
                     .at = text,
                     .end = end,
                     .line = place.line,
                     .path = place.path,
                     .path_length = place.path_length};
    next(&reader);
    return reader;
}

typedef struct TemplateParameter {
    char type[64], name[64]; /* "typename" and "T"; one that has no name has no type */
    char value[128];         /* its default, or empty */
} TemplateParameter;

/* Is the current token behind one of a template's parameters or arguments? */
static bool ends_parameter(const Reader *reader, Depth depth) {
    if (!reader->token.text) return true;
    return !depth.angle && !depth.parenthesis &&
           (is(&reader->token, ",") || is(&reader->token, ">"));
}

/* Up to the ',' or '>' behind it, appended to `value`. */
static bool read_value(Reader *reader, char *value, size_t size) {
    for (Depth depth = {0}; !ends_parameter(reader, depth); next(reader)) {
        if (!append(reader, value, size, &reader->token)) return false;
        count_depth(&depth, &reader->token);
    }
    return true;
}

/* Up to the ',' or '>' behind it. */
static bool read_template_parameter(Reader *reader, TemplateParameter *parameter) {
    Token last = {0};
    for (; !ends_parameter(reader, (Depth){0}) && !is(&reader->token, "="); next(reader)) {
        if (is(&reader->token, ".") || is(&reader->token, "<"))
            return refuse(reader, reader->token.line,
                          "packs and templates as parameters of a kernel template are not "
                          "supported by the strict check");
        if (last.text && !append(reader, parameter->type, sizeof parameter->type, &last))
            return false;
        last = reader->token;
    }
    if (last.text && !append(reader, parameter->name, sizeof parameter->name, &last)) return false;
    if (!is(&reader->token, "=")) return true;
    next(reader);
    return read_value(reader, parameter->value, sizeof parameter->value);
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
    const char *words = kernel->instance;
    Reader parameters = start_reader(file, template->begin, file->text + template->parameters,
                                     file->text + template->name.at);
    Reader arguments = start_reader(file, instance->begin, words, words + strlen(words));
    next(&arguments); /* the template's name */
    while (parameters.token.text && !is(&parameters.token, ">")) {
        TemplateParameter parameter = {0};
        char argument[sizeof parameter.value] = "";
        next(&parameters);
        if (!read_template_parameter(&parameters, &parameter)) return false;
        if (arguments.token.text && !is(&arguments.token, ">")) next(&arguments);
        if (!read_value(&arguments, argument, sizeof argument)) return false;
        if (*argument) memcpy(parameter.value, argument, sizeof argument);
        if (!*parameter.value)
            return refuse(&arguments, instance->begin.line,
                          "'%s': template parameter '%s' has no argument", kernel->name,
                          parameter.name);
        write_template_argument(&parameter, out);
    }
    return is(&arguments.token, ">") ||
           refuse(&arguments, instance->begin.line, "'%s': more template arguments than parameters",
                  kernel->name);
}

static bool is_instance_of(const BoundFile *file, const BoundInstance *instance,
                           const BoundTemplate *template) {
    const char *words = file->kernels[instance->kernel].instance, *name = template->kernel.name;
    size_t length = strlen(name);
    return template->has_body && !strncmp(words, name, length) && !word_character(words[length]);
}

/* namespace scale_float { using T = float; kernel void scale_float(…) {…} }, and its declaration
 * where the instance gives the parameters' types. */
static bool write_instance(BoundFile *file, const BoundInstance *instance, FILE *out) {
    const char *name = file->kernels[instance->kernel].name;
    const BoundTemplate *template = file->templates, *end = template + file->template_count;
    while (template <end && !is_instance_of(file, instance, template))
        template ++;
    if (template == end) {
        Reader reader = start_reader(file, instance->begin, "", "");
        return refuse(&reader, instance->begin.line, "the template of '%s' has no body", name);
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
        if (i < file->instance_count || !template->has_body) continue;
        Reader reader = start_reader(file, template->name, "", "");
        return refuse(&reader, template->name.line,
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

/* All of a file's, in order; those inside a template come behind its own. */
static StrictEdit *collect_strict_edits(const BoundFile *file, size_t *total) {
    size_t count =
        file->edit_count + file->constant_count + file->template_count + file->instance_count;
    StrictEdit *edits = grow(NULL, count, sizeof *edits), *edit = edits;
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

static unsigned type_size(const char *type) {
    static const struct {
        const char *type;
        unsigned size;
    } sizes[] = {{"float", 4}, {"uint", 4},     {"int", 4},     {"half", 2},    {"ushort", 2},
                 {"short", 2}, {"char", 1},     {"uchar", 1},   {"bool", 1},    {"ulong", 8},
                 {"long", 8},  {"uint32_t", 4}, {"int32_t", 4}, {"uint64_t", 8}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!strcmp(sizes[i].type, type)) return sizes[i].size;
    return 0;
}

/* Parameters of one class in order of their index, as kernel.h's table wants them. */
static unsigned write_parameters(const BoundKernel *kernel, bool scratch, FILE *out) {
    static const char *const kinds[] = {"PARAMETER_READ", "PARAMETER_CONSTANT",
                                        "PARAMETER_THREADGROUP"};
    unsigned written = 0;
    for (unsigned index = 0; index <= 30; index++) {
        for (unsigned p = 0; p < kernel->count; p++) {
            const BoundParameter *parameter = &kernel->parameter[p];
            if (parameter->kind == BOUND_BUILTIN || parameter->index != index ||
                (parameter->kind == BOUND_THREADGROUP) != scratch)
                continue;
            fprintf(out, "    {\"%s\", \"%s\", %s, %u, %u},\n", parameter->name, parameter->type,
                    parameter->writable ? "PARAMETER_WRITE" : kinds[parameter->kind], index,
                    type_size(parameter->type));
            written++;
        }
    }
    return written;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void write_string(const char *text, size_t size, FILE *out) {
    fputs("    \"", out);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n')
            fputs(i + 1 < size ? "\\n\"\n    \"" : "\\n", out);
        else if (text[i] == '"' || text[i] == '\\')
            fprintf(out, "\\%c", text[i]);
        else
            putc(text[i], out);
    }
    fputs("\"", out);
}

void bind_write_texts(const BoundFile *files, size_t count, const char *name, FILE *out) {
    fprintf(out, "#include \"device/kernel.h\"\n\nconst KernelSource %ss[] = {\n", name);
    for (size_t f = 0; f < count; f++) {
        fprintf(out, "    {\"%s\",\n", base_name(files[f].path));
        write_string(files[f].text, files[f].size, out);
        fputs("},\n", out);
    }
    fprintf(out, "};\nconst size_t %s_count = %zu;\n", name, count);
}

void bind_write_table(const BoundFile *files, size_t count, FILE *out) {
    fputs("#include \"device/kernel.h\"\n\n", out);
    for (size_t f = 0; f < count; f++) {
        for (size_t k = 0; k < files[f].kernel_count; k++) {
            const BoundKernel *kernel = &files[f].kernels[k];
            fprintf(out, "static const KernelParameter %s_parameters[] = {\n", kernel->name);
            unsigned written = write_parameters(kernel, false, out);
            written += write_parameters(kernel, true, out);
            fprintf(out, "};\nenum { %s_count = %u };\n\n", kernel->name, written);
        }
    }
    fputs("const Kernel kernel_table[] = {\n", out);
    size_t kernels = 0;
    for (size_t f = 0; f < count; f++) {
        for (size_t k = 0; k < files[f].kernel_count; k++, kernels++) {
            const BoundKernel *kernel = &files[f].kernels[k];
            fprintf(out, "    {\"%s\", \"%s\", %d, %s_count, %s_parameters},\n", kernel->name,
                    base_name(files[f].path), kernel->line, kernel->name, kernel->name);
        }
    }
    fprintf(out, "};\nconst size_t kernel_count = %zu;\n\n", kernels);
    bind_write_texts(files, count, "kernel_source", out);
}

void bind_write_entries(const BoundFile *files, size_t count, const char *prefix, FILE *out) {
    fprintf(out, "#include \"%.*s.h\"\n\n", (int)strcspn(prefix, "_"), prefix);
    for (size_t f = 0; f < count; f++)
        for (size_t k = 0; k < files[f].kernel_count; k++)
            fprintf(out, "MSL_ENTRY_TYPE %s_%s;\n", prefix, files[f].kernels[k].name);
    fprintf(out, "\nMSL_ENTRY_TYPE *const %s_entries[] = {\n", prefix);
    for (size_t f = 0; f < count; f++)
        for (size_t k = 0; k < files[f].kernel_count; k++)
            fprintf(out, "    %s_%s,\n", prefix, files[f].kernels[k].name);
    fputs("};\n", out);
}
