#include "reader.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

char *bind_load(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *text = NULL;
    size_t used = 0, read;
    bool failed;
    do {
        char *larger = realloc(text, used + 65536 + 1);
        read = larger ? fread(larger + used, 1, 65536, file) : 0;
        failed = !larger || ferror(file); /* of a folder, for one */
        if (larger) text = larger;
        used += read;
    } while (read && !failed);
    fclose(file);
    if (!failed) {
        text[used] = 0;
        *size = used;
        return text;
    }
    free(text);
    return NULL;
}

/* --- declarations --- */

/* What a file had before a declaration was read. */
typedef struct Counts {
    size_t kernels, templates, instances, variables, constants, inputs, values, edits;
} Counts;

static Counts count_all(const BoundFile *file) {
    return (Counts){file->kernel_count,   file->template_count, file->instance_count,
                    file->variable_count, file->constant_count, file->input_count,
                    file->value_count,    file->edit_count};
}

static void take_back(BoundFile *file, Counts counts) {
    file->kernel_count = counts.kernels;
    file->template_count = counts.templates;
    file->instance_count = counts.instances;
    file->variable_count = counts.variables;
    file->constant_count = counts.constants;
    file->input_count = counts.inputs;
    file->value_count = counts.values;
    file->edit_count = counts.edits;
}

/* The current token is the call, in a function's body. */
static void note_waiting(Reader *reader) {
    BoundFile *file = reader->file;
    if (reader->body == KERNEL_BODY) file->kernels[file->kernel_count - 1].waits = true;
    if (reader->body == TEMPLATE_BODY)
        file->templates[file->template_count - 1].kernel.waits = true;
}

/* Does a statement begin after this token, of which the ':' of a label is one, but not that of ::?
 */
static bool ends_statement(const Reader *reader) {
    const Token *token = &reader->token;
    if (token_is(token, ":")) {
        bool first = token->text == reader->file->text, last = reader->at == reader->end;
        return (first || token->text[-1] != ':') && (last || *reader->at != ':');
    }
    return token_is(token, ";") || token_is(token, "{") || token_is(token, "}");
}

enum { DEEPEST_BODY = 64 };

/* Up to the ';' or '}' that ends a declaration, which stays the current token. With `reads` the
 * variables in it are noted; the offset of its first brace goes to `body`. */
static bool read_rest(Reader *reader, bool reads, size_t *body) {
    int braces = 0, parentheses = 0;
    int around[DEEPEST_BODY]; /* the parentheses that a brace is in, as of a call with a lambda */
    *body = 0;
    Reader statement = *reader;
    for (bool begins = false; reader->token.text; reader_next(reader)) {
        const Token *token = &reader->token;
        if (begins) statement = *reader;
        bool is_inside = braces > 0 && braces <= DEEPEST_BODY;
        bool is_statement = parentheses == (is_inside ? around[braces - 1] : 0);
        if (reads && is_statement && token_is(token, "threadgroup") &&
            !(is_inside ? read_variables : refuse_variables)(reader, &statement))
            return false;
        begins = ends_statement(reader);
        if (reads && braces > 0 && token_is(token, "wait_for_previous_kernel"))
            note_waiting(reader);
        if (!*body && token_is(token, "{") && !parentheses) *body = reader_offset(reader, token);
        if (token_is(token, "{") && braces < DEEPEST_BODY) around[braces] = parentheses;
        braces += token_is(token, "{") - token_is(token, "}");
        parentheses += token_is(token, "(") - token_is(token, ")");
        if (braces < 0 || parentheses < 0) break;
        if (!braces && !parentheses && (token_is(token, "}") || token_is(token, ";"))) return true;
    }
    return reader_refuse(reader, reader->line, "unbalanced braces");
}

/* The current token ends a function. */
static void end_function(Reader *reader, size_t body) {
    BoundFile *file = reader->file;
    BoundPlace end = reader_place_behind(reader);
    if (reader->body == KERNEL_BODY) file->kernels[file->kernel_count - 1].end = end.at;
    if (reader->body == TEMPLATE_BODY) {
        BoundTemplate *template = &file->templates[file->template_count - 1];
        template->end = end;
        template->body = body;
    }
    reader->body = NO_BODY;
}

/* vertex, fragment and the like: no code of theirs is run. */
static bool leave_out(Reader *reader, BoundPlace begin) {
    size_t body;
    if (!read_rest(reader, false, &body)) return false;
    return reader_edit(reader, begin.at, reader_place_behind(reader).at, "");
}

/* What the current token starts, but for its body. `kernel` gets what is known of a kernel. */
static bool read_start(Reader *reader, BoundPlace begin, BoundKernel *kernel, bool *left_out) {
    const Token *token = &reader->token;
    if (token_is(token, "template")) return read_template(reader, begin, kernel, left_out);
    if (token_is(token, "enum")) return read_enum(reader);
    bool is_constant = token_is(token, "constant");
    if ((is_constant || token_is(token, "static") || token_is(token, "constexpr")) &&
        take_function_constant(reader))
        return true;
    if (is_constant) return !reader->file->error[0] && read_values(reader);
    if (token_is(token, ";")) return true;
    Lead lead;
    Reader start = *reader;
    size_t edits = reader->file->edit_count;
    if (!read_lead(reader, &lead)) return false;
    if (lead.stage == OTHER_STAGE) *left_out = true;
    if (lead.stage == KERNEL_STAGE) return read_kernel(reader, &lead, NULL, kernel);
    if (lead.stage == NO_STAGE) {
        *reader = start;
        reader->file->edit_count = edits;
        return take_input(reader) || !reader->file->error[0];
    }
    return true;
}

/* A kernel that cannot be bound stays in the list, with the reason. */
static bool keep_refused(Reader *reader, const Reader *start, BoundPlace begin, BoundKernel *kernel,
                         Counts counts) {
    BoundFile *file = reader->file;
    BoundTemplate template = {.begin = begin, .name = begin, .behind_name = begin};
    bool is_template =
        token_is(&start->token, "template") && kernel->function && !kernel->is_instance;
    kernel->refused = reader_keep(reader, file->error, strlen(file->error));
    file->error[0] = 0;
    take_back(file, counts);
    *reader = *start;
    if (!read_rest(reader, false, &template.body)) return false;
    template.end = reader_place_behind(reader);
    reader->body = NO_BODY;
    kernel->begin = begin.at;
    kernel->end = template.end.at;
    kernel->count = 0;
    kernel->is_instance = false;
    if (!is_template) return add_kernel(reader, kernel);
    template.kernel = *kernel;
    if (!reader_grow(reader, &file->templates, file->template_count, sizeof template)) return false;
    file->templates[file->template_count++] = template;
    return true;
}

/* To just past its last token. */
static bool read_declaration(Reader *reader) {
    Reader start = *reader;
    BoundPlace begin = reader_place(reader);
    Counts counts = count_all(reader->file);
    BoundKernel kernel = {.line = reader->token.line, .begin = begin.at};
    bool left_out = false;
    size_t body;
    if (read_start(reader, begin, &kernel, &left_out) &&
        (left_out ? leave_out(reader, begin) : read_rest(reader, true, &body))) {
        end_function(reader, left_out ? 0 : body);
    } else if (!kernel.name || !keep_refused(reader, &start, begin, &kernel, counts)) {
        return false;
    }
    reader_next(reader);
    return true;
}

/* `namespace a::b {` and `extern "C" {`: after the brace. False if it is none of these. */
static bool enter_scope(Reader *reader) {
    Reader start = *reader;
    const char *scope = reader->scope;
    bool is_namespace = token_is(&reader->token, "namespace");
    if (is_namespace || token_is(&reader->token, "extern") || token_is(&reader->token, "inline"))
        reader_next(reader);
    if (!is_namespace && token_is(&reader->token, "namespace")) {
        is_namespace = true;
        reader_next(reader);
    }
    while (is_namespace && (token_is_word(&reader->token) || token_is(&reader->token, ":"))) {
        if (token_is_word(&reader->token)) {
            reader_append(reader, &scope, &reader->token);
            reader_append(reader, &scope, &(Token){"::", 2, reader->line});
        }
        reader_next(reader);
    }
    if (!is_namespace && reader->token.text && *reader->token.text == '"') reader_next(reader);
    if (reader->at != start.at && token_is(&reader->token, "{")) {
        reader_next(reader);
        reader->scope = scope;
        return true;
    }
    *reader = start;
    return false;
}

static bool read_scope(Reader *reader) {
    const char *scope = reader->scope;
    while (reader->token.text && !token_is(&reader->token, "}")) {
        if (!enter_scope(reader)) {
            if (!read_declaration(reader)) return false;
            continue;
        }
        if (!read_scope(reader)) return false;
        if (!reader->token.text) return reader_refuse(reader, reader->line, "unbalanced braces");
        reader_next(reader);
        reader->scope = scope;
    }
    return true;
}

/* --- all of a file --- */

/* An instance of a template that cannot be bound cannot be either. */
static void refuse_instances(BoundFile *file) {
    for (size_t i = 0; i < file->instance_count; i++) {
        BoundKernel *kernel = &file->kernels[file->instances[i].kernel];
        const BoundKernel *template = &file->templates[file->instances[i].template].kernel;
        if (!kernel->refused) kernel->refused = template->refused;
    }
}

static int compare_edits(const void *a, const void *b) {
    const BoundEdit *left = a, *right = b;
    if (left->begin != right->begin) return left->begin < right->begin ? -1 : 1;
    return left->end > right->end ? -1 : left->end < right->end;
}

static bool add_edits(Reader *reader) {
    BoundFile *file = reader->file;
    size_t more = file->variable_count + file->constant_count + file->input_count;
    if (!reader_grow(reader, &file->edits, file->edit_count + more, sizeof *file->edits))
        return false;
    BoundEdit *edit = &file->edits[file->edit_count];
    for (size_t i = 0; i < file->variable_count; i++)
        *edit++ = (BoundEdit){.begin = file->variables[i].begin,
                              .end = file->variables[i].end,
                              .line = file->variables[i].line,
                              .variable = &file->variables[i]};
    for (size_t i = 0; i < file->constant_count; i++)
        *edit++ = (BoundEdit){.begin = file->constants[i].begin,
                              .end = file->constants[i].end,
                              .line = file->constants[i].line,
                              .constant = &file->constants[i]};
    for (size_t i = 0; i < file->input_count; i++)
        *edit++ = (BoundEdit){.begin = file->inputs[i].begin,
                              .end = file->inputs[i].end,
                              .line = file->inputs[i].line,
                              .input = &file->inputs[i]};
    file->edit_count += more;
    return true;
}

/* All of a file's are together and in order, and none is in another. */
static bool end_edits(Reader *reader) {
    BoundFile *file = reader->file;
    if (!add_edits(reader)) return false;
    qsort(file->edits, file->edit_count, sizeof *file->edits, compare_edits);
    size_t end = 0, kept = 0;
    for (size_t i = 0; i < file->edit_count; i++) {
        const BoundEdit *edit = &file->edits[i];
        if (edit->begin < end && edit->end <= end) continue; /* in what has gone */
        if (edit->begin < end || edit->end < edit->begin || edit->end > file->size)
            return reader_refuse(reader, edit->line, "the binder cannot read this");
        end = edit->end;
        file->edits[kept++] = *edit;
    }
    file->edit_count = kept;
    return true;
}

bool bind_read_some(BoundFile *file, const char *path, const char *text, size_t size) {
    *file = (BoundFile){.path = path, .text = text, .size = size};
    Reader reader = {.file = file,
                     .at = text,
                     .end = text + size,
                     .line = 1,
                     .path = path,
                     .scope = "",
                     .path_length = (int)strlen(path)};
    reader_next(&reader);
    if (!read_scope(&reader)) return false;
    if (reader.token.text) return reader_refuse(&reader, reader.line, "unbalanced braces");
    if (!read_members(&reader) || !read_structs(&reader) || !read_words(&reader)) return false;
    refuse_instances(file);
    return end_edits(&reader);
}

/* Only metal-check has textures and samplers. */
static bool refuse_textures(BoundFile *file) {
    Reader reader = {.file = file, .path = file->path, .path_length = (int)strlen(file->path)};
    for (size_t i = 0; i < file->kernel_count; i++) {
        const BoundKernel *kernel = &file->kernels[i];
        for (unsigned p = 0; p < kernel->count; p++) {
            const BoundParameter *parameter = &kernel->parameter[p];
            if (parameter->kind != BOUND_TEXTURE && parameter->kind != BOUND_SAMPLER) continue;
            return reader_refuse(&reader, kernel->line,
                                 "'%s': textures and samplers are for metal-check alone",
                                 parameter->name);
        }
    }
    return true;
}

bool bind_read(BoundFile *file, const char *path, const char *text, size_t size) {
    if (!bind_read_some(file, path, text, size)) return false;
    const char *refused = NULL;
    for (size_t i = 0; i < file->template_count && !refused; i++)
        refused = file->templates[i].kernel.refused;
    for (size_t i = 0; i < file->kernel_count && !refused; i++)
        refused = file->kernels[i].refused;
    if (refused) snprintf(file->error, sizeof file->error, "%s", refused);
    return !refused && refuse_textures(file);
}

void bind_free(BoundFile *file) {
    for (size_t i = 0; i < file->string_count; i++)
        free(file->strings[i]);
    free(file->strings);
    free(file->kernels);
    free(file->templates);
    free(file->instances);
    free(file->variables);
    free(file->constants);
    free(file->inputs);
    free(file->values);
    free(file->members);
    free(file->edits);
    *file = (BoundFile){0};
}
