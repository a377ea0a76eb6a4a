/* variables.c — threadgroup variables in the bodies of functions. */
#include "reader.h"

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

/* The type, and in `last` the name behind it. False for pointers, references and what else is no
 * variable. */
static bool read_type(Reader *reader, BoundVariable *variable, Token *last) {
    Depth depth = {0};
    *last = (Token){0};
    while (reader->token.text && (depth.angle || !ends_name(&reader->token))) {
        bool is_outside = !depth.angle && !depth.parenthesis;
        if (is_outside && token_is(&reader->token, "alignas")) {
            reader_next(reader);
            reader_skip_parentheses(reader);
            continue;
        }
        if (is_outside && (token_is(&reader->token, "*") || token_is(&reader->token, "&") ||
                           token_is(&reader->token, "(")))
            return false;
        depth_count(&depth, &reader->token);
        if (last->text && !reader_append(reader, &variable->type, last)) return false;
        *last = reader->token;
        reader_next(reader);
    }
    return last->text && *variable->type;
}

bool read_variables(Reader *reader) {
    int line = reader->token.line;
    BoundVariable variable = {
        .begin = reader_offset(reader, &reader->token), .line = line, .type = "", .name = ""};
    Reader start = *reader;
    Token last;
    reader_next(reader);
    if (!read_type(reader, &variable, &last) || !token_is_word(&last)) {
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
        reader_next(reader);
        last = reader->token;
        if (!token_is_word(&last))
            return reader_refuse(reader, line, "expected a threadgroup variable's name");
        reader_next(reader);
    }
}
