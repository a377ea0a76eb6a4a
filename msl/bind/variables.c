/* variables.c — threadgroup variables in the bodies of functions. */
#include "reader.h"

#include <string.h>

static bool add_variable(Reader *reader, const BoundVariable *variable) {
    BoundFile *file = reader->file;
    if (!reader_grow(reader, &file->variables, file->variable_count, sizeof *variable))
        return false;
    file->variables[file->variable_count++] = *variable;
    return true;
}

/* The [n] behind a variable's name and its value, to the ',' or ';' behind them. */
static bool read_dimensions(Reader *reader, BoundVariable *variable) {
    int line = reader->token.line, depth = 0;
    const char **words = &variable->dimensions;
    variable->dimensions = variable->value = "";
    for (; reader->token.text; reader_next(reader)) {
        const Token *token = &reader->token;
        if (!depth && (token_is(token, ";") || token_is(token, ","))) break;
        depth += token_is(token, "[") + token_is(token, "(") + token_is(token, "{");
        depth -= token_is(token, "]") + token_is(token, ")") + token_is(token, "}");
        if (!depth && token_is(token, "="))
            words = &variable->value;
        else if (!reader_append(reader, words, token))
            return false;
    }
    if (!reader->token.text) return reader_refuse(reader, line, "expected ';'");
    variable->end = reader_offset(reader, &reader->token) + 1;
    return true;
}

static bool ends_name(const Token *token) {
    return token_is(token, "[") || token_is(token, ";") || token_is(token, ",") ||
           token_is(token, "=") || token_is(token, "{");
}

/* `{ … }` of a structure that is defined where a variable is. */
static bool read_body(Reader *reader, BoundVariable *variable) {
    int depth = 0;
    do {
        depth += token_is(&reader->token, "{") - token_is(&reader->token, "}");
        if (!reader_append(reader, &variable->type, &reader->token)) return false;
        reader_next(reader);
    } while (depth && reader->token.text);
    return !depth;
}

static bool begins_class(const Token *token) {
    return token_is(token, "struct") || token_is(token, "class") || token_is(token, "union");
}

/* The type, and in `last` the name behind it. False for pointers, references and what else is no
 * variable. */
static bool read_type(Reader *reader, BoundVariable *variable, Token *last) {
    Depth depth = {0};
    bool is_class = false;
    *last = (Token){0};
    while (reader->token.text &&
           (depth.angle || depth.parenthesis || is_class || !ends_name(&reader->token))) {
        bool is_outside = !depth.angle && !depth.parenthesis;
        if (is_class && token_is(&reader->token, "{")) {
            if (!reader_append(reader, &variable->type, last) || !read_body(reader, variable))
                return false;
            *last = (Token){0};
            is_class = false;
            continue;
        }
        is_class = begins_class(&reader->token) || (is_class && begins_class(last));
        if (is_outside && token_is(&reader->token, "alignas")) {
            reader_next(reader);
            reader_skip_parentheses(reader);
            continue;
        }
        bool is_of_type = token_is(last, "decltype") || token_is(last, "typeof");
        if (is_outside && !is_of_type &&
            (token_is(&reader->token, "*") || token_is(&reader->token, "&") ||
             token_is(&reader->token, "(")))
            return false;
        depth_count(&depth, &reader->token);
        if (last->text && !reader_append(reader, &variable->type, last)) return false;
        *last = reader->token;
        reader_next(reader);
    }
    return last->text && *variable->type;
}

/* `struct Tile { … } a, b;`: b does not define it again. */
static const char *type_of_next(Reader *reader, const char *type) {
    const char *body = strchr(type, '{'), *name = body;
    if (!body) return type;
    while (name > type && is_word_character(name[-1]))
        name--;
    Token last = {.text = name, .length = (size_t)(body - name)};
    return begins_class(&last) ? type : reader_keep(reader, type, (size_t)(body - type));
}

/* `float threadgroup x[32]`: the type in front of the space, which is the current token. */
static bool read_type_before(const Reader *reader, BoundVariable *variable) {
    const char *begin = reader->token.text, *text = reader->file->text;
    while (begin > text && !strchr(";{}()", begin[-1]) && !(begin[-1] == '\n' && *begin == '#'))
        begin--;
    Reader word = *reader;
    word.at = begin;
    for (reader_next(&word); word.token.text < reader->token.text; reader_next(&word)) {
        if (!*variable->type) variable->begin = reader_offset(&word, &word.token);
        if (!reader_append(&word, &variable->type, &word.token)) return false;
    }
    return *variable->type;
}

bool read_variables(Reader *reader) {
    int line = reader->token.line;
    BoundVariable variable = {
        .begin = reader_offset(reader, &reader->token), .line = line, .type = "", .name = ""};
    Reader start = *reader;
    Token last;
    reader_next(reader);
    bool is_variable = read_type(reader, &variable, &last) && token_is_word(&last);
    if (!is_variable && token_is_word(&last) && ends_name(&reader->token) && !*variable.type)
        is_variable = read_type_before(&start, &variable);
    if (!is_variable) {
        *reader = start;
        return !reader->file->error[0];
    }
    for (;;) {
        variable.name = "";
        if (!reader_append(reader, &variable.name, &last) || !read_dimensions(reader, &variable) ||
            !add_variable(reader, &variable))
            return false;
        if (token_is(&reader->token, ";")) return true;
        variable.begin = variable.end;
        variable.type = type_of_next(reader, variable.type);
        reader_next(reader);
        last = reader->token;
        if (!token_is_word(&last))
            return reader_refuse(reader, line, "expected a threadgroup variable's name");
        reader_next(reader);
    }
}
