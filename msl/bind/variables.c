/* variables.c — threadgroup variables in the bodies of functions. */
#include "reader.h"

#include <ctype.h>
#include <string.h>

static bool add_variable(Reader *reader, const BoundVariable *variable) {
    BoundFile *file = reader->file;
    if (!reader_grow(reader, &file->variables, file->variable_count, sizeof *variable))
        return false;
    file->variables[file->variable_count++] = *variable;
    return true;
}

/* The [n] after a variable's name and its value, to the ',' or ';' after them. */
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

/* `static`, alignas(…), __attribute__((…)) and [[…]], which say nothing here. */
static bool skip_decoration(Reader *reader) {
    if (token_is(&reader->token, "[") && *reader->at == '[') {
        reader_skip_to_bracket(reader);
        reader_next(reader);
        reader_next(reader);
        return true;
    }
    bool has_arguments =
        token_is(&reader->token, "alignas") || token_is(&reader->token, "__attribute__");
    if (!has_arguments && !token_is(&reader->token, "static")) return false;
    reader_next(reader);
    if (has_arguments) reader_skip_parentheses(reader);
    return true;
}

/* `((name))` */
static bool read_name(Reader *reader, Token *name) {
    int depth = 0;
    for (; token_is(&reader->token, "("); reader_next(reader))
        depth++;
    *name = reader->token;
    if (!token_is_word(name)) return false;
    for (reader_next(reader); depth && token_is(&reader->token, ")"); reader_next(reader))
        depth--;
    return !depth;
}

/* The type, and in `name` what stands after it. False for pointers, references and what else is no
 * variable. */
static bool read_type(Reader *reader, BoundVariable *variable, Token *name) {
    Depth depth = {0};
    bool is_class = false;
    Token last = *name = (Token){0};
    while (reader->token.text) {
        bool is_outside = !depth.angle && !depth.parenthesis;
        if (is_outside && skip_decoration(reader)) continue;
        if (is_outside && !is_class && ends_name(&reader->token)) break;
        if (last.text && !reader_append(reader, &variable->type, &last)) return false;
        if (is_class && token_is(&reader->token, "{")) {
            if (!read_body(reader, variable)) return false;
            last = (Token){0};
            is_class = false;
            continue;
        }
        is_class = begins_class(&reader->token) || (is_class && begins_class(&last));
        bool is_of_type = token_is(&last, "decltype") || token_is(&last, "typeof");
        if (is_outside && token_is(&reader->token, "(") && !is_of_type)
            return *variable->type && read_name(reader, name);
        if (is_outside && (token_is(&reader->token, "*") || token_is(&reader->token, "&")))
            return false;
        depth_count(&depth, &reader->token);
        last = reader->token;
        reader_next(reader);
    }
    *name = last;
    return token_is_word(name) && *variable->type;
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

/* `float threadgroup x[32]`: the type is what the statement has in front of the space. */
static bool read_type_before(Reader word, const Token *space, BoundVariable *variable) {
    while (word.token.text < space->text) {
        if (skip_decoration(&word)) continue;
        if (!reader_append(&word, &variable->type, &word.token)) return false;
        reader_next(&word);
    }
    return *variable->type;
}

/* Where `static const threadgroup float x` begins, if that is what the statement is. */
static size_t begin_of(Reader word, const Token *space) {
    size_t begin = reader_offset(&word, &word.token);
    while (word.token.text < space->text) {
        bool is_const = token_is(&word.token, "const") || token_is(&word.token, "volatile");
        if (is_const) reader_next(&word);
        if (!is_const && !skip_decoration(&word)) return reader_offset(&word, space);
    }
    return begin;
}

static bool is_alias(const Reader *statement) {
    return token_is(&statement->token, "using") || token_is(&statement->token, "typedef");
}

/* The first name; the current token is `threadgroup`. */
static bool read_first(Reader *reader, const Reader *statement, BoundVariable *variable,
                       Token *name) {
    Token space = reader->token;
    if (is_alias(statement)) return false;
    reader_next(reader);
    Reader behind = *reader;
    variable->begin = begin_of(*statement, &space);
    if (read_type(reader, variable, name)) return true;
    *reader = behind;
    variable->type = "";
    variable->begin = reader_offset(statement, &statement->token);
    return read_name(reader, name) && ends_name(&reader->token) &&
           read_type_before(*statement, &space, variable);
}

/* `Loader<float, threadgroup float>` */
static bool is_argument(const Reader *reader) {
    const char *begin = reader->file->text, *before = reader->token.text;
    while (before > begin && isspace((unsigned char)before[-1]))
        before--;
    return before > begin && (before[-1] == '<' || before[-1] == ',');
}

/* `void get() threadgroup const {`, `Tile() threadgroup : x(0) {}` */
static bool is_qualifier(Reader reader) {
    do
        reader_next(&reader);
    while (token_is(&reader.token, "const") || token_is(&reader.token, "volatile"));
    return !token_is_word(&reader.token) && !token_is(&reader.token, "(") &&
           !token_is(&reader.token, "[");
}

static bool declares(const Reader *reader, const Reader *statement) {
    return !is_argument(reader) && (is_alias(statement) || !is_qualifier(*reader));
}

/* `threadgroup float *p = …, *q`, of which each thread has its own. */
static bool are_pointers(Reader reader) {
    bool are = false, in_value = false;
    Depth depth = {0};
    for (reader_next(&reader); reader.token.text && depth.angle >= 0; reader_next(&reader)) {
        const Token *token = &reader.token;
        bool is_outside = !depth.angle && !depth.parenthesis;
        if (is_outside && (token_is(token, ";") || token_is(token, "}"))) break;
        if (is_outside && !in_value && token_is(token, "{")) break;
        if (is_outside && token_is(token, ",")) {
            if (!are) break;
            are = in_value = false;
        }
        in_value |= is_outside && token_is(token, "=");
        are |= !in_value && !depth.angle && (token_is(token, "*") || token_is(token, "&"));
        depth.parenthesis += token_is(token, "{") - token_is(token, "}");
        depth_count(&depth, token);
        if (in_value) depth.angle = 0;
    }
    return are;
}

/* Else each thread would have its own. */
static bool refuse_others(Reader *reader, const Reader *statement, const char *what) {
    if (are_pointers(*reader)) return true;
    if (is_alias(statement))
        return reader_refuse(
            reader, reader->token.line,
            "'threadgroup' must stand where a variable does, not in a type's name");
    return reader_refuse(reader, reader->token.line, "%s", what);
}

bool refuse_variables(Reader *reader, const Reader *statement) {
    return !declares(reader, statement) ||
           refuse_others(reader, statement, "a threadgroup variable must be in a function");
}

bool read_variables(Reader *reader, const Reader *statement) {
    if (!declares(reader, statement)) return true;
    int line = reader->token.line;
    BoundVariable variable = {.line = line, .type = "", .name = ""};
    Reader start = *reader;
    Token name;
    bool is_variable = read_first(reader, statement, &variable, &name);
    if (reader->file->error[0]) return false;
    if (!is_variable) {
        *reader = start;
        return refuse_others(reader, statement,
                             "expected a variable as in 'threadgroup float tile[32];'");
    }
    for (;;) {
        variable.name = "";
        if (!reader_append(reader, &variable.name, &name) || !read_dimensions(reader, &variable) ||
            !add_variable(reader, &variable))
            return false;
        if (token_is(&reader->token, ";")) return true;
        variable.begin = variable.end;
        variable.type = type_of_next(reader, variable.type);
        reader_next(reader);
        if (!read_name(reader, &name))
            return reader_refuse(reader, line, "expected a threadgroup variable's name");
    }
}
