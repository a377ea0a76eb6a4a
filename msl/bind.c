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
    Token token; /* the current one */
} Reader;

static bool refuse(Reader *reader, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(Reader *reader, int line, const char *format, ...) {
    BoundFile *file = reader->file;
    if (file->error[0]) return false;
    int used = snprintf(file->error, sizeof file->error, "%s:%d: ", file->path, line);
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
        } else if (*c == '#' || (two && c[0] == '/' && c[1] == '/')) {
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
        while (reader->at < reader->end && word_character(*reader->at)) reader->at++;
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
    if (!is(&reader->token, text))
        return refuse(reader, reader->token.line, "expected '%s'", text);
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

/* --- kernel signatures --- */

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

/* [[name]] or [[name(n)]]; the current token is the first '['. */
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
        next(reader);
        if (!expect(reader, ")")) return false;
    }
    if (!expect(reader, "]")) return false;
    parameter->end = offset(reader, &reader->token) + 1;
    return expect(reader, "]");
}

typedef struct Declarator {
    bool is_device, is_constant, is_threadgroup, is_const, is_pointer, is_reference;
} Declarator;

static bool check_builtin(Reader *reader, int line, const BoundParameter *parameter) {
    const Builtin *builtin = find_builtin(parameter->attribute);
    if (!builtin)
        return refuse(reader, line, "attribute [[%s]] is not supported", parameter->attribute);
    unsigned components = component_count(parameter->type);
    if (components == 1 || (components && builtin->vector)) return true;
    return refuse(reader, line, "'%s' must be ushort or uint%s", parameter->name,
                  builtin->vector ? ", or a vector of 2 or 3 of them" : "");
}

/* Metal asks that the positions and sizes of one kernel agree in their number of components, those of
 * one space in their type. */
static bool builtins_agree(Reader *reader, int line, const BoundParameter *a,
                           const BoundParameter *b) {
    if (a->kind != BOUND_BUILTIN || b->kind != BOUND_BUILTIN) return true;
    const char *twin = find_builtin(a->attribute)->twin;
    if (twin && !strcmp(twin, b->attribute) && strcmp(a->type, b->type))
        return refuse(reader, line, "'%s' and '%s' must have the same type", a->name, b->name);
    unsigned left = component_count(a->type), right = component_count(b->type);
    if (left == right || left == 1 || right == 1) return true;
    return refuse(reader, line, "'%s' and '%s' must have as many components as each other", a->name,
                  b->name);
}

static bool classify(Reader *reader, int line, const Declarator *d, BoundParameter *parameter) {
    const char *attribute = parameter->attribute;
    if (!attribute[0])
        return refuse(reader, line, "parameter '%s' has no [[attribute]]", parameter->name);
    if (!strcmp(attribute, "buffer")) {
        if (d->is_pointer && (d->is_device || d->is_constant)) {
            parameter->kind = BOUND_BUFFER;
            parameter->writable = d->is_device && !d->is_const;
            return true;
        }
        if (d->is_reference && d->is_constant) {
            parameter->kind = BOUND_CONSTANT;
            return true;
        }
        return refuse(reader, line, "'%s' must be a device or constant pointer, or a constant "
                      "reference", parameter->name);
    }
    if (!strcmp(attribute, "threadgroup")) {
        parameter->kind = BOUND_THREADGROUP;
        if (d->is_pointer && d->is_threadgroup) return true;
        return refuse(reader, line, "'%s' must be a threadgroup pointer", parameter->name);
    }
    parameter->kind = BOUND_BUILTIN;
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
        if (is(&token, "device")) d.is_device = true;
        else if (is(&token, "constant")) d.is_constant = true;
        else if (is(&token, "threadgroup")) d.is_threadgroup = true;
        else if (is(&token, "const")) d.is_const = true;
        else if (is(&token, "&")) d.is_reference = true;
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
    return a->index == b->index &&
           (a->kind == BOUND_THREADGROUP) == (b->kind == BOUND_THREADGROUP);
}

static bool read_kernel(Reader *reader) {
    next(reader);
    if (!is(&reader->token, "void"))
        return refuse(reader, reader->token.line, "a kernel returns void");
    next(reader);
    BoundKernel kernel = {.line = reader->token.line};
    if (!is_word(&reader->token)) return refuse(reader, kernel.line, "expected the kernel's name");
    append(reader, kernel.name, sizeof kernel.name, &reader->token);
    next(reader);
    if (!expect(reader, "(")) return false;
    while (reader->token.text && !is(&reader->token, ")")) {
        if (kernel.count == BIND_PARAMETERS)
            return refuse(reader, kernel.line, "more than %d parameters", BIND_PARAMETERS);
        BoundParameter *parameter = &kernel.parameter[kernel.count];
        if (!read_parameter(reader, parameter)) return false;
        for (unsigned i = 0; i < kernel.count; i++) {
            if (same_slot(&kernel.parameter[i], parameter))
                return refuse(reader, reader->token.line, "'%s' and '%s' have the same index",
                              kernel.parameter[i].name, parameter->name);
            if (!builtins_agree(reader, reader->token.line, &kernel.parameter[i], parameter))
                return false;
        }
        kernel.count++;
        if (is(&reader->token, ",")) next(reader);
    }
    if (!expect(reader, ")")) return false;
    BoundFile *file = reader->file;
    file->kernels = grow(file->kernels, file->kernel_count, sizeof kernel);
    file->kernels[file->kernel_count++] = kernel;
    return true;
}

/* --- threadgroup variables in function bodies --- */

/* `threadgroup type name[n]…;` — the current token is `threadgroup`. */
static bool read_variable(Reader *reader) {
    BoundVariable variable = {.begin = offset(reader, &reader->token)};
    int line = reader->token.line;
    Token last = {0};
    next(reader);
    while (reader->token.text && !is(&reader->token, "[") && !is(&reader->token, ";")) {
        if (is(&reader->token, "*") || is(&reader->token, "&"))
            return refuse(reader, line, "a pointer to threadgroup memory may not be kept in a "
                          "variable; index the array itself");
        if (is(&reader->token, ",") || is(&reader->token, "="))
            return refuse(reader, line, "declare one threadgroup variable at a time, "
                          "without an initialiser");
        if (last.text && !append(reader, variable.type, sizeof variable.type, &last)) return false;
        last = reader->token;
        next(reader);
    }
    if (!last.text) return refuse(reader, line, "expected a threadgroup variable");
    append(reader, variable.name, sizeof variable.name, &last);
    while (reader->token.text && !is(&reader->token, ";")) {
        if (is(&reader->token, ",") || is(&reader->token, "="))
            return refuse(reader, line, "declare one threadgroup variable at a time, "
                          "without an initialiser");
        if (!append(reader, variable.dimensions, sizeof variable.dimensions, &reader->token))
            return false;
        next(reader);
    }
    if (!reader->token.text) return refuse(reader, line, "expected ';'");
    variable.end = offset(reader, &reader->token) + 1;
    BoundFile *file = reader->file;
    file->variables = grow(file->variables, file->variable_count, sizeof variable);
    file->variables[file->variable_count++] = variable;
    return true;
}

/* `template <…>` in front of a helper function; the binder does not instantiate kernels. */
static bool skip_template_head(Reader *reader) {
    int line = reader->token.line, angle = 0;
    next(reader);
    do {
        angle += is(&reader->token, "<") - is(&reader->token, ">");
        next(reader);
    } while (angle > 0 && reader->token.text);
    if (is(&reader->token, "kernel") || is(&reader->token, "["))
        return refuse(reader, line, "kernel templates are not supported");
    return true;
}

bool bind_read(BoundFile *file, const char *path, const char *text, size_t size) {
    *file = (BoundFile){.path = path, .text = text, .size = size};
    Reader reader = {.file = file, .at = text, .end = text + size, .line = 1};
    int braces = 0, parentheses = 0;
    next(&reader);
    while (reader.token.text) {
        const Token *token = &reader.token;
        if (is(token, "kernel") && braces == 0) {
            if (!read_kernel(&reader)) return false;
            continue;
        }
        if (is(token, "template") && braces == 0) {
            if (!skip_template_head(&reader)) return false;
            continue;
        }
        if (is(token, "threadgroup") && braces > 0 && parentheses == 0 &&
            !read_variable(&reader))
            return false;
        braces += is(token, "{") - is(token, "}");
        parentheses += is(token, "(") - is(token, ")");
        next(&reader);
    }
    if (braces || parentheses) return refuse(&reader, reader.line, "unbalanced braces");
    return true;
}

void bind_free(BoundFile *file) {
    free(file->kernels);
    free(file->variables);
    *file = (BoundFile){0};
}

/* --- writing --- */

/* An edit of the text: at `begin`, `end` − `begin` characters are replaced. */
typedef struct Edit {
    size_t begin, end;
    const char *insert;
    const BoundVariable *variable; /* written instead of `insert` if not NULL */
} Edit;

static int compare_edits(const void *a, const void *b) {
    const Edit *left = a, *right = b;
    return left->begin < right->begin ? -1 : left->begin > right->begin;
}

static size_t collect_edits(const BoundFile *file, Edit **edits) {
    size_t count = 0;
    *edits = NULL;
    for (size_t v = 0; v < file->variable_count; v++) {
        const BoundVariable *variable = &file->variables[v];
        *edits = grow(*edits, count, sizeof **edits);
        (*edits)[count++] = (Edit){variable->begin, variable->end, "", variable};
    }
    for (size_t k = 0; k < file->kernel_count; k++) {
        for (unsigned p = 0; p < file->kernels[k].count; p++) {
            const BoundParameter *parameter = &file->kernels[k].parameter[p];
            *edits = grow(*edits, count, sizeof **edits);
            (*edits)[count++] = (Edit){parameter->begin, parameter->end, "", NULL};
            if (parameter->kind != BOUND_BUFFER) continue;
            *edits = grow(*edits, count, sizeof **edits);
            (*edits)[count++] = (Edit){parameter->star, parameter->star, "MSL_RESTRICT ", NULL};
        }
    }
    if (count) qsort(*edits, count, sizeof **edits, compare_edits);
    return count;
}

/* The replaced text may span lines; keep their number, so that later lines keep theirs. */
static void write_newlines(const char *text, size_t begin, size_t end, FILE *out) {
    for (size_t i = begin; i < end; i++)
        if (text[i] == '\n') putc('\n', out);
}

static void write_text(const BoundFile *file, FILE *out) {
    Edit *edits;
    size_t count = collect_edits(file, &edits), at = 0;
    for (size_t i = 0; i < count; i++) {
        fwrite(file->text + at, 1, edits[i].begin - at, out);
        const BoundVariable *variable = edits[i].variable;
        if (variable)
            fprintf(out, "MSL_THREADGROUP(%s, %s, %s);", variable->type, variable->name,
                    variable->dimensions);
        else
            fputs(edits[i].insert, out);
        write_newlines(file->text, edits[i].begin, edits[i].end, out);
        at = edits[i].end;
    }
    fwrite(file->text + at, 1, file->size - at, out);
    free(edits);
}

static void write_argument(const BoundParameter *parameter, FILE *out) {
    switch (parameter->kind) {
    case BOUND_BUFFER:
        fprintf(out, "MSL_BUFFER(%u, %s%s)", parameter->index, parameter->writable ? "" : "const ",
                parameter->type);
        break;
    case BOUND_CONSTANT:
        fprintf(out, "MSL_CONSTANT(%u, %s)", parameter->index, parameter->type);
        break;
    case BOUND_THREADGROUP:
        fprintf(out, "MSL_SCRATCH(%u, %s)", parameter->index, parameter->type);
        break;
    case BOUND_BUILTIN:
        fprintf(out, "MSL_BUILTIN(%s, %s)", parameter->type, parameter->attribute);
        break;
    }
}

void bind_write_source(const BoundFile *file, FILE *out) {
    fprintf(out, "#line 1 \"%s\"\n", file->path);
    write_text(file, out);
    for (size_t k = 0; k < file->kernel_count; k++) {
        const BoundKernel *kernel = &file->kernels[k];
        fprintf(out, "\nMSL_ENTRY(%s, (", kernel->name);
        for (unsigned p = 0; p < kernel->count; p++) {
            if (p) fputs(", ", out);
            write_argument(&kernel->parameter[p], out);
        }
        fputs("))\n", out);
    }
    fputs("MSL_END\n", out);
}

static unsigned type_size(const char *type) {
    static const struct {
        const char *type;
        unsigned size;
    } sizes[] = {{"float", 4}, {"uint", 4},   {"int", 4},  {"half", 2}, {"ushort", 2}, {"short", 2},
                 {"char", 1},  {"uchar", 1},  {"bool", 1}, {"ulong", 8}, {"long", 8},
                 {"uint32_t", 4}, {"int32_t", 4}, {"uint64_t", 8}};
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
        if (text[i] == '\n') fputs(i + 1 < size ? "\\n\"\n    \"" : "\\n", out);
        else if (text[i] == '"' || text[i] == '\\') fprintf(out, "\\%c", text[i]);
        else putc(text[i], out);
    }
    fputs("\"", out);
}

void bind_write_table(const BoundFile *files, size_t count, FILE *out) {
    fputs("#include \"kernel.h\"\n\n", out);
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
    fputs("const KernelSource kernel_sources[] = {\n", out);
    for (size_t f = 0; f < count; f++) {
        fprintf(out, "    {\"%s\",\n", base_name(files[f].path));
        write_string(files[f].text, files[f].size, out);
        fputs("},\n", out);
    }
    fprintf(out, "};\nconst size_t kernel_source_count = %zu;\n", count);
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
