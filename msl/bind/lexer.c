#include "reader.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool reader_refuse(Reader *reader, int line, const char *format, ...) {
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

bool is_word_character(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

void reader_next(Reader *reader) {
    skip_blank(reader);
    Token *token = &reader->token;
    *token = (Token){.line = reader->line};
    if (reader->at == reader->end) return;
    token->text = reader->at;
    if (is_word_character(*reader->at)) {
        while (reader->at < reader->end && is_word_character(*reader->at))
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

bool token_is(const Token *token, const char *text) {
    return token->text && strlen(text) == token->length &&
           memcmp(token->text, text, token->length) == 0;
}

bool token_is_word(const Token *token) {
    return token->text && (isalpha((unsigned char)*token->text) || *token->text == '_');
}

size_t reader_offset(const Reader *reader, const Token *token) {
    return token->text ? (size_t)(token->text - reader->file->text) : reader->file->size;
}

/* Where the current token begins. */
BoundPlace reader_place(const Reader *reader) {
    return (BoundPlace){reader_offset(reader, &reader->token), reader->path, reader->path_length,
                        reader->token.line};
}

/* Just behind the current token, which ends in the line where it begins. */
BoundPlace reader_place_behind(const Reader *reader) {
    BoundPlace behind = reader_place(reader);
    behind.at += reader->token.length;
    return behind;
}

/* Append a token to `words`, separated by a blank where two words meet. */
bool reader_append(Reader *reader, char *words, size_t size, const Token *token) {
    size_t used = strlen(words);
    bool blank = used && is_word_character(words[used - 1]) && is_word_character(*token->text);
    if (used + blank + token->length + 1 > size)
        return reader_refuse(reader, token->line, "name or type longer than %zu characters",
                             size - 1);
    if (blank) words[used++] = ' ';
    memcpy(words + used, token->text, token->length);
    words[used + token->length] = 0;
    return true;
}

bool reader_expect(Reader *reader, const char *text) {
    if (!token_is(&reader->token, text))
        return reader_refuse(reader, reader->token.line, "expected '%s'", text);
    reader_next(reader);
    return true;
}

/* For a part of what was read at `place`. */
Reader reader_start(BoundFile *file, BoundPlace place, const char *text, const char *end) {
    Reader reader = {.file = file,
                     .at = text,
                     .end = end,
                     .line = place.line,
                     .path = place.path,
                     .path_length = place.path_length};
    reader_next(&reader);
    return reader;
}

/* The rest of an attribute that is left out. */
void reader_skip_to_bracket(Reader *reader) {
    while (reader->token.text && !token_is(&reader->token, "]"))
        reader_next(reader);
}

void depth_count(Depth *depth, const Token *token) {
    depth->parenthesis += token_is(token, "(") - token_is(token, ")");
    if (!depth->parenthesis) depth->angle += token_is(token, "<") - token_is(token, ">");
}

/* Behind `template <…>`; the current token is the '<'. */
void reader_skip_angles(Reader *reader) {
    Depth depth = {0};
    do {
        depth_count(&depth, &reader->token);
        reader_next(reader);
    } while (depth.angle > 0 && reader->token.text);
}

bool reader_grow(Reader *reader, void *array, size_t count, size_t size) {
    void *old;
    memcpy(&old, array, sizeof old);
    void *larger = realloc(old, (count + 1) * size);
    if (!larger) return reader_refuse(reader, reader->line, "out of memory");
    memcpy(array, &larger, sizeof larger);
    return true;
}

bool reader_edit(Reader *reader, size_t begin, size_t end, const char *insert) {
    BoundFile *file = reader->file;
    if (!reader_grow(reader, &file->edits, file->edit_count, sizeof *file->edits)) return false;
    file->edits[file->edit_count++] =
        (BoundEdit){.begin = begin, .end = end, .line = reader->line, .insert = insert};
    return true;
}
