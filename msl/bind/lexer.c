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
    for (char *at = file->error + used; *at; at++)
        if ((unsigned char)*at < ' ') *at = ' '; /* what is quoted may be of several lines */
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

/* After `#define`, whose tokens are read, too. */
static bool skip_define(Reader *reader) {
    static const char word[] = "define";
    const char *at = reader->at + 1;
    while (*at == ' ' || *at == '\t')
        at++;
    if (strncmp(at, word, sizeof word - 1)) return false;
    reader->at = at + sizeof word - 1;
    return true;
}

/* A line that starts with #; the preprocessor's own, # 12 "file", say where what follows comes
 * from. */
static void skip_directive(Reader *reader) {
    if (reader->reads_macros && skip_define(reader)) return;
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

static bool is_hexadecimal(const Token *token) {
    return token->text[0] == '0' && (token->text[1] == 'x' || token->text[1] == 'X');
}

/* What C calls a preprocessing number: 1.5e-3f, 0x1p+4, 1'000. */
static void skip_number(Reader *reader) {
    for (char last = 0; reader->at < reader->end; last = *reader->at++) {
        bool exponent = last && strchr("eEpP", last);
        bool sign = exponent && (*reader->at == '+' || *reader->at == '-');
        if (!is_word_character(*reader->at) && *reader->at != '.' && *reader->at != '\'' && !sign)
            return;
        if (sign && strchr("eE", last) && is_hexadecimal(&reader->token)) return;
    }
}

/* A string or a character, up to the quote that ends it. */
static void skip_quoted(Reader *reader) {
    char quote = *reader->at;
    for (reader->at++; reader->at < reader->end && *reader->at != quote; reader->at++)
        if (*reader->at == '\\') reader->at++;
    reader->at = reader->at < reader->end ? reader->at + 1 : reader->end;
}

void reader_next(Reader *reader) {
    skip_blank(reader);
    Token *token = &reader->token;
    *token = (Token){.line = reader->line};
    if (reader->at == reader->end) return;
    const char *at = token->text = reader->at;
    bool is_fraction = *at == '.' && at + 1 < reader->end && isdigit((unsigned char)at[1]);
    if (isdigit((unsigned char)*at) || is_fraction) {
        skip_number(reader);
    } else if (is_word_character(*at)) {
        while (reader->at < reader->end && is_word_character(*reader->at))
            reader->at++;
    } else if (*at == '"' || *at == '\'') {
        skip_quoted(reader);
    } else {
        reader->at++;
    }
    token->length = (size_t)(reader->at - token->text);
}

bool token_is_double(const Token *token) {
    const char *text = token->text;
    if (!text || (!isdigit((unsigned char)*text) && *text != '.') || token->length < 2)
        return false;
    bool hexadecimal = is_hexadecimal(token);
    bool is_float =
        memchr(text, '.', token->length) ||
        (hexadecimal ? memchr(text, 'p', token->length) || memchr(text, 'P', token->length)
                     : memchr(text, 'e', token->length) || memchr(text, 'E', token->length));
    char last = text[token->length - 1];
    return is_float && (isdigit((unsigned char)last) || last == '.');
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

/* Just after the current token, which ends in the line where it begins. */
BoundPlace reader_place_behind(const Reader *reader) {
    BoundPlace behind = reader_place(reader);
    behind.at += reader->token.length;
    return behind;
}

const char *reader_keep(Reader *reader, const char *text, size_t length) {
    BoundFile *file = reader->file;
    if (!reader_grow(reader, &file->strings, file->string_count, sizeof *file->strings)) return "";
    char *copy = malloc(length + 1);
    if (!copy) {
        reader_refuse(reader, reader->line, "out of memory");
        return "";
    }
    if (length) memcpy(copy, text, length);
    copy[length] = 0;
    file->strings[file->string_count++] = copy;
    return copy;
}

bool reader_join(Reader *reader, const char **words, const char *text, size_t length) {
    size_t used = strlen(*words);
    char *longer = malloc(used + length + 1);
    if (!longer) return reader_refuse(reader, reader->line, "out of memory");
    memcpy(longer, *words, used);
    if (length) memcpy(longer + used, text, length);
    *words = reader_keep(reader, longer, used + length);
    free(longer);
    return !reader->file->error[0];
}

bool reader_append(Reader *reader, const char **words, const Token *token) {
    if (!token->text) return reader_refuse(reader, reader->line, "the file ends in the middle");
    size_t used = strlen(*words);
    bool blank = used && is_word_character((*words)[used - 1]) && is_word_character(*token->text);
    return (!blank || reader_join(reader, words, " ", 1)) &&
           reader_join(reader, words, token->text, token->length);
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

Reader reader_start_file(BoundFile *file) {
    BoundPlace begin = {.path = file->path, .path_length = (int)strlen(file->path), .line = 1};
    return reader_start(file, begin, file->text, file->text + file->size);
}

/* The rest of an attribute that is left out. */
void reader_skip_to_bracket(Reader *reader) {
    while (reader->token.text && !token_is(&reader->token, "]"))
        reader_next(reader);
}

void reader_skip_parentheses(Reader *reader) {
    int depth = 0;
    do {
        depth += token_is(&reader->token, "(") - token_is(&reader->token, ")");
        reader_next(reader);
    } while (depth > 0 && reader->token.text);
}

void depth_count(Depth *depth, const Token *token) {
    depth->parenthesis += token_is(token, "(") - token_is(token, ")");
    if (!depth->parenthesis) depth->angle += token_is(token, "<") - token_is(token, ">");
}

/* After `template <…>`; the current token is the '<'. */
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
