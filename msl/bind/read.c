#include "reader.h"

#include <stdlib.h>
#include <string.h>

static bool add_variable(Reader *reader, const BoundVariable *variable) {
    BoundFile *file = reader->file;
    if (!reader_grow(reader, &file->variables, file->variable_count, sizeof *variable))
        return false;
    file->variables[file->variable_count++] = *variable;
    return true;
}

/* The [n] behind a variable's name, to the ',' or ';' behind them. */
static bool read_dimensions(Reader *reader, BoundVariable *variable) {
    int line = reader->token.line;
    *variable->dimensions = 0;
    while (reader->token.text && !token_is(&reader->token, ";") && !token_is(&reader->token, ",")) {
        if (token_is(&reader->token, "="))
            return reader_refuse(reader, line, "a threadgroup variable has no initialiser");
        if (!reader_append(reader, variable->dimensions, sizeof variable->dimensions,
                           &reader->token))
            return false;
        reader_next(reader);
    }
    if (!reader->token.text) return reader_refuse(reader, line, "expected ';'");
    variable->end = reader_offset(reader, &reader->token) + 1;
    return true;
}

/* `threadgroup type name[n]…, name…;` — the current token is `threadgroup`. Pointers and references
 * to threadgroup memory stay as they are, and member functions for objects in it. */
static bool read_variables(Reader *reader) {
    int line = reader->token.line, angle = 0;
    BoundVariable variable = {.begin = reader_offset(reader, &reader->token), .line = line};
    Token last = {0};
    reader_next(reader);
    if (token_is(&reader->token, "{") || token_is(&reader->token, ";"))
        return true; /* behind a function */
    while (reader->token.text &&
           (angle || (!token_is(&reader->token, "[") && !token_is(&reader->token, ";") &&
                      !token_is(&reader->token, ",") && !token_is(&reader->token, "=")))) {
        if (!angle && (token_is(&reader->token, "*") || token_is(&reader->token, "&") ||
                       token_is(&reader->token, "(")))
            return true;
        angle += token_is(&reader->token, "<") - token_is(&reader->token, ">");
        if (last.text && !reader_append(reader, variable.type, sizeof variable.type, &last))
            return false;
        last = reader->token;
        reader_next(reader);
    }
    if (!last.text) return reader_refuse(reader, line, "expected a threadgroup variable");
    for (;;) {
        *variable.name = 0;
        reader_append(reader, variable.name, sizeof variable.name, &last);
        if (!read_dimensions(reader, &variable)) return false;
        if (!add_variable(reader, &variable)) return false;
        if (token_is(&reader->token, ";")) return true;
        variable.begin = variable.end;
        reader_next(reader);
        last = reader->token;
        if (!token_is_word(&last))
            return reader_refuse(reader, line, "expected a threadgroup variable's name");
        reader_next(reader);
    }
}

char *bind_load(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *text = NULL;
    size_t used = 0, read;
    do {
        char *larger = realloc(text, used + 65536 + 1);
        if (!larger) {
            fclose(file);
            free(text);
            return NULL;
        }
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
    if (token_is(token, "kernel")) {
        reader_next(reader);
        return read_kernel(reader, NULL);
    }
    if (token_is(token, "[") && take_kernel_attribute(reader)) return read_kernel(reader, NULL);
    if (token_is(token, "template")) return read_template(reader);
    if (!token_is(token, "constant")) return !(*read = false);
    *read = take_function_constant(reader);
    return !reader->file->error[0] && (*read || read_values(reader));
}

/* The current token is the call, in a function's body. */
static void note_waiting(Reader *reader) {
    BoundFile *file = reader->file;
    if (reader->body == KERNEL_BODY) file->kernels[file->kernel_count - 1].waits = true;
    if (reader->body == TEMPLATE_BODY)
        file->templates[file->template_count - 1].kernel.waits = true;
}

/* The current token is outside of all braces, or the '}' in front of that. */
static void end_declaration(Reader *reader) {
    end_template(reader);
    if (token_is(&reader->token, "}") || token_is(&reader->token, ";")) reader->body = NO_BODY;
}

static int compare_edits(const void *a, const void *b) {
    const BoundEdit *left = a, *right = b;
    if (left->begin != right->begin) return left->begin < right->begin ? -1 : 1;
    return left->end < right->end ? -1 : left->end > right->end;
}

/* All of a file's are together and in order, and none overlaps another. */
static bool end_edits(Reader *reader) {
    BoundFile *file = reader->file;
    size_t more = file->variable_count + file->constant_count;
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
    file->edit_count += more;
    qsort(file->edits, file->edit_count, sizeof *file->edits, compare_edits);
    size_t end = 0;
    for (size_t i = 0; i < file->edit_count; i++) {
        edit = &file->edits[i];
        if (edit->begin < end || edit->end < edit->begin || edit->end > file->size)
            return reader_refuse(reader, edit->line, "the binder cannot read this");
        end = edit->end;
    }
    for (size_t i = 0; i < file->template_count; i++)
        if (!file->templates[i].end.at)
            return reader_refuse(reader, file->templates[i].kernel.line,
                                 "unbalanced braces in kernel template '%s'",
                                 file->templates[i].kernel.name);
    return true;
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
    reader_next(&reader);
    while (reader.token.text) {
        const Token *token = &reader.token;
        bool read = false;
        if (braces == 0 && parentheses == 0 && !read_declaration(&reader, &read)) return false;
        if (read) continue;
        if (token_is(token, "threadgroup") && braces > 0 && parentheses == 0 &&
            !read_variables(&reader))
            return false;
        braces += token_is(token, "{") - token_is(token, "}");
        parentheses += token_is(token, "(") - token_is(token, ")");
        if (braces > 0 && token_is(token, "wait_for_previous_kernel")) note_waiting(&reader);
        if (braces == 0 && parentheses == 0) end_declaration(&reader);
        if (token->line > file->last_line) file->last_line = token->line;
        reader_next(&reader);
    }
    if (braces || parentheses) return reader_refuse(&reader, reader.line, "unbalanced braces");
    return end_edits(&reader);
}

void bind_free(BoundFile *file) {
    free(file->kernels);
    free(file->templates);
    free(file->instances);
    free(file->variables);
    free(file->constants);
    free(file->values);
    free(file->edits);
    *file = (BoundFile){0};
}
