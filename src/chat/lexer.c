/* lexer.c — a template's source as tokens, by the rules of Jinja's lexer. */
#include "lexer.h"

#include <string.h>

typedef struct Lexer {
    Jinja *jinja;
    Text source;
    size_t at;
    bool line_starts; /* what came before ends with a line feed that was taken away */
    Token *tokens;
    size_t count, capacity;
    char brackets[JINJA_MAX_NESTING]; /* that are to be closed */
    size_t bracket_count;
} Lexer;

static int peek(const Lexer *lexer, size_t ahead) {
    size_t at = lexer->at + ahead;
    return at < lexer->source.size ? (unsigned char)lexer->source.bytes[at] : -1;
}

static bool looking_at(const Lexer *lexer, const char *string) {
    size_t size = strlen(string);
    return lexer->source.size - lexer->at >= size &&
           memcmp(lexer->source.bytes + lexer->at, string, size) == 0;
}

/* Go on to `at`, counting lines. */
static void move_to(Lexer *lexer, size_t at) {
    for (; lexer->at < at; lexer->at++)
        if (lexer->source.bytes[lexer->at] == '\n') lexer->jinja->line++;
}

static Token *add_token(Lexer *lexer, TokenKind kind, Text text) {
    lexer->tokens = jinja_grow(lexer->jinja, lexer->tokens, lexer->count, &lexer->capacity,
                               sizeof *lexer->tokens);
    Token *token = &lexer->tokens[lexer->count++];
    *token = (Token){.kind = kind, .line = lexer->jinja->line, .text = text};
    return token;
}

static size_t space_end(const Lexer *lexer, size_t at) {
    uint32_t c;
    size_t length;
    while ((length = jinja_character(lexer->source, at, &c)) && jinja_is_space(c))
        at += length;
    return at;
}

/* --- between tags --- */

static bool all_space(Text text) {
    uint32_t c;
    for (size_t at = 0, length; (length = jinja_character(text, at, &c)); at += length)
        if (!jinja_is_space(c)) return false;
    return text.size > 0;
}

/* Text before a tag: "-" takes its white space, a tag that is no variable that of its own line. */
static Text strip_before_tag(Lexer *lexer, Text text, int sign, bool variable) {
    if (sign == '-') return jinja_strip(lexer->jinja, text, NULL, RIGHT);
    if (sign == '+' || variable) return text;
    size_t line = text.size;
    while (line > 0 && text.bytes[line - 1] != '\n')
        line--;
    bool begins_line = line > 0 || lexer->line_starts;
    if (begins_line && all_space(jinja_part(text, line, text.size)))
        return jinja_part(text, 0, line);
    return text;
}

static void add_data(Lexer *lexer, size_t to, int sign, bool variable) {
    Text text = strip_before_tag(lexer, jinja_part(lexer->source, lexer->at, to), sign, variable);
    if (text.size > 0) add_token(lexer, TOKEN_DATA, text);
    move_to(lexer, to);
}

static bool is_sign(int c) {
    return c == '-' || c == '+';
}

/* Where a tag ends that "close" closes at `at`, with the white space that it takes along; 0 if it
 * does not end there. */
static size_t tag_end(const Lexer *lexer, size_t at, const char *close, bool variable) {
    Text rest = jinja_part(lexer->source, at, lexer->source.size);
    int sign = rest.size ? rest.bytes[0] : 0;
    bool minus = sign == '-', plus = sign == '+' && !variable;
    if (minus || plus) rest = jinja_part(rest, 1, rest.size);
    if (rest.size < 2 || memcmp(rest.bytes, close, 2) != 0) return 0;
    size_t end = at + (minus || plus) + 2;
    if (minus) return space_end(lexer, end);
    bool line_feed = end < lexer->source.size && lexer->source.bytes[end] == '\n';
    return end + (!variable && !plus && line_feed);
}

/* Past the end of a tag. */
static void leave_tag(Lexer *lexer, size_t end) {
    move_to(lexer, end);
    lexer->line_starts = lexer->source.bytes[end - 1] == '\n';
}

static void skip_comment(Lexer *lexer) {
    size_t end = 0, at = lexer->at;
    while (at < lexer->source.size && !(end = tag_end(lexer, at, "#}", false)))
        at++;
    if (!end) jinja_fail(lexer->jinja, "a comment without its end");
    leave_tag(lexer, end);
}

/* If a tag of this word begins at `at`, after "{%" and a sign: where its "%}" ends, else 0. */
static size_t word_tag_end(const Lexer *lexer, size_t at, const char *word, bool trims) {
    size_t start = space_end(lexer, at), size = strlen(word);
    if (lexer->source.size - start < size || memcmp(lexer->source.bytes + start, word, size) != 0)
        return 0;
    size_t end = space_end(lexer, start + size);
    if (trims) return tag_end(lexer, end, "%}", false);
    return tag_end(lexer, end, "%}", true);
}

/* The text between {% raw %} and {% endraw %}, as it is. */
static void read_raw(Lexer *lexer) {
    for (size_t at = lexer->at; at + 1 < lexer->source.size; at++) {
        if (memcmp(lexer->source.bytes + at, "{%", 2) != 0) continue;
        int sign = at + 2 < lexer->source.size ? lexer->source.bytes[at + 2] : 0;
        size_t end = word_tag_end(lexer, at + 2 + is_sign(sign), "endraw", true);
        if (!end) continue;
        add_data(lexer, at, sign, false);
        leave_tag(lexer, end);
        return;
    }
    jinja_fail(lexer->jinja, "raw without endraw");
}

/* --- inside tags --- */

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Digits with single underscores between them: where they end, from `at` on. */
static size_t digits_end(const Lexer *lexer, size_t at) {
    const char *bytes = lexer->source.bytes;
    size_t size = lexer->source.size;
    while (at < size &&
           (is_digit(bytes[at]) || (bytes[at] == '_' && at + 1 < size && is_digit(bytes[at + 1]))))
        at++;
    return at;
}

static size_t exponent_end(const Lexer *lexer, size_t at) {
    const char *bytes = lexer->source.bytes;
    size_t size = lexer->source.size;
    if (at >= size || (bytes[at] | 0x20) != 'e') return at;
    size_t digits = at + 1 + (at + 1 < size && is_sign(bytes[at + 1]));
    return digits < size && is_digit(bytes[digits]) ? digits_end(lexer, digits) : at;
}

static size_t float_end(const Lexer *lexer) {
    const char *bytes = lexer->source.bytes;
    size_t at = digits_end(lexer, lexer->at), size = lexer->source.size;
    bool after_dot = lexer->at > 0 && bytes[lexer->at - 1] == '.';
    if (after_dot) return lexer->at;
    size_t end = at;
    if (at + 1 < size && bytes[at] == '.' && is_digit(bytes[at + 1]))
        end = digits_end(lexer, at + 1);
    end = exponent_end(lexer, end);
    return end > at ? end : lexer->at;
}

static size_t integer_end(const Lexer *lexer) {
    static const char letters[] = "0123456789abcdef";
    int prefix = peek(lexer, 1) | 0x20;
    size_t base = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 0;
    if (peek(lexer, 0) != '0' || !base) return digits_end(lexer, lexer->at);
    size_t at = lexer->at + 2;
    for (; at < lexer->source.size; at++) {
        int c = lexer->source.bytes[at];
        if (c != '_' && !(c && memchr(letters, c | (is_digit(c) ? 0 : 0x20), base))) break;
    }
    return at;
}

static void read_number(Lexer *lexer) {
    size_t end = float_end(lexer);
    bool whole = end == lexer->at;
    if (whole) end = integer_end(lexer);
    Text text = jinja_part(lexer->source, lexer->at, end);
    Token *token = add_token(lexer, whole ? TOKEN_INTEGER : TOKEN_FLOAT, text);
    int64_t integer = 0;
    double number = 0;
    bool leading_zero = whole && text.size > 1 && text.bytes[0] == '0' && is_digit(text.bytes[1]);
    bool valid = whole ? jinja_parse_integer(lexer->jinja, text, 0, &integer)
                       : jinja_parse_float(lexer->jinja, text, &number);
    if (!valid || (leading_zero && integer))
        jinja_fail(lexer->jinja, "%.*s is not a number", TEXT_ARGUMENTS(text));
    token->number = whole ? jinja_integer(integer) : jinja_float(number);
    move_to(lexer, end);
}

static void read_name(Lexer *lexer) {
    size_t end = lexer->at;
    while (end < lexer->source.size &&
           (is_letter(lexer->source.bytes[end]) || is_digit(lexer->source.bytes[end])))
        end++;
    add_token(lexer, TOKEN_NAME, jinja_part(lexer->source, lexer->at, end));
    move_to(lexer, end);
}

/* `count` digits of `base` at most, from text[*at] on. */
static uint32_t read_digits(Lexer *lexer, Text text, size_t *at, int count, int base) {
    uint32_t value = 0;
    int read = 0;
    for (; read < count && *at < text.size; read++, ++*at) {
        int c = text.bytes[*at], low = c | 0x20;
        int digit = is_digit(c) ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : 99;
        if (digit >= base) break;
        value = value * (uint32_t)base + (uint32_t)digit;
    }
    bool whole = base == 8 || read == count;
    if (!whole || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        jinja_fail(lexer->jinja, "a text has an escape that is no character");
    return value;
}

/* What follows a backslash, from text[*at] on. */
static void resolve_escape(Lexer *lexer, Text text, size_t *at, TextBuilder *builder) {
    static const char letters[] = "abfnrtv\\'\"", bytes[] = "\a\b\f\n\r\t\v\\'\"";
    int c = text.bytes[*at];
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) {
        ++*at;
        jinja_append_bytes(builder, bytes + (letter - letters), 1, FROM_TEMPLATE);
    } else if (c == '\n')
        ++*at;
    else if (c == 'x' || c == 'u' || c == 'U') {
        ++*at;
        int count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        uint32_t character = read_digits(lexer, text, at, count, 16);
        jinja_append_character(builder, character, FROM_TEMPLATE);
    } else if (c >= '0' && c <= '7')
        jinja_append_character(builder, read_digits(lexer, text, at, 3, 8), FROM_TEMPLATE);
    else if (c == 'N')
        jinja_fail(lexer->jinja, "\\N{…} in a text is not supported; write the character itself");
    else
        jinja_append_string(builder, "\\");
}

static Text resolve_escapes(Lexer *lexer, Text text) {
    if (!memchr(text.bytes, '\\', text.size)) return text;
    TextBuilder builder = jinja_builder(lexer->jinja);
    for (size_t at = 0; at < text.size;) {
        const char *backslash = memchr(text.bytes + at, '\\', text.size - at);
        size_t end = backslash ? (size_t)(backslash - text.bytes) : text.size;
        jinja_append(&builder, jinja_part(text, at, end));
        at = end + 1;
        if (backslash) resolve_escape(lexer, text, &at, &builder);
    }
    return jinja_built(&builder);
}

static void read_text(Lexer *lexer, int quote) {
    size_t end = lexer->at + 1;
    while (end < lexer->source.size && lexer->source.bytes[end] != quote)
        end += lexer->source.bytes[end] == '\\' ? 2 : 1;
    if (end >= lexer->source.size) jinja_fail(lexer->jinja, "a text without its closing quote");
    Text text = jinja_part(lexer->source, lexer->at + 1, end);
    add_token(lexer, TOKEN_TEXT, resolve_escapes(lexer, text));
    move_to(lexer, end + 1);
}

static void balance(Lexer *lexer, char c) {
    const char *closing = strchr("})]", c), *opening = strchr("{([", c);
    if (opening) {
        if (lexer->bracket_count == sizeof lexer->brackets)
            jinja_fail(lexer->jinja, "more than %d brackets within each other", JINJA_MAX_NESTING);
        lexer->brackets[lexer->bracket_count++] = c == '{' ? '}' : c == '(' ? ')' : ']';
    }
    if (closing && (!lexer->bracket_count || lexer->brackets[--lexer->bracket_count] != c))
        jinja_fail(lexer->jinja, "unexpected '%c'", c);
}

static void read_operator(Lexer *lexer) {
    static const char *const two[] = {"//", "**", "==", "!=", ">=", "<="};
    size_t size = 0;
    for (size_t i = 0; i < sizeof two / sizeof *two; i++)
        if (looking_at(lexer, two[i])) size = 2;
    int c = peek(lexer, 0);
    if (!size && c && strchr("+-/*%~[](){}><=.:|,;", c)) size = 1;
    if (!size) jinja_fail(lexer->jinja, "unexpected character '%c'", c);
    if (size == 1) balance(lexer, (char)c);
    add_token(lexer, TOKEN_OPERATOR, jinja_part(lexer->source, lexer->at, lexer->at + size));
    move_to(lexer, lexer->at + size);
}

/* The tokens up to and including the tag's end. */
static void read_tag(Lexer *lexer, const char *close, TokenKind end_kind) {
    bool variable = end_kind == TOKEN_VARIABLE_END;
    lexer->bracket_count = 0;
    for (;;) {
        size_t end = lexer->bracket_count ? 0 : tag_end(lexer, lexer->at, close, variable);
        if (end) {
            add_token(lexer, end_kind, jinja_part(lexer->source, lexer->at, end));
            leave_tag(lexer, end);
            return;
        }
        int c = peek(lexer, 0);
        if (c < 0) jinja_fail(lexer->jinja, "a tag without its end \"%s\"", close);
        size_t space = space_end(lexer, lexer->at);
        if (space > lexer->at)
            move_to(lexer, space);
        else if (is_digit(c))
            read_number(lexer);
        else if (is_letter(c))
            read_name(lexer);
        else if (c == '"' || c == '\'')
            read_text(lexer, c);
        else
            read_operator(lexer);
    }
}

/* --- the whole --- */

/* Lines end with \n, and the last has no end. */
static Text normalise(Jinja *jinja, const char *source, size_t size) {
    char *bytes = jinja_allocate(jinja, size);
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        bool pair = source[i] == '\r' && i + 1 < size && source[i + 1] == '\n';
        if (!pair) bytes[count++] = source[i] == '\r' ? '\n' : source[i];
    }
    if (count > 0 && bytes[count - 1] == '\n') count--;
    return jinja_text(jinja, bytes, count, FROM_TEMPLATE);
}

/* The next of "{{", "{%", "{#". */
static size_t next_tag(const Lexer *lexer) {
    size_t at = lexer->at;
    for (; at + 1 < lexer->source.size; at++) {
        int c = lexer->source.bytes[at + 1];
        if (lexer->source.bytes[at] == '{' && (c == '{' || c == '%' || c == '#')) return at;
    }
    return lexer->source.size;
}

/* The text up to the next tag, and that tag. */
static void read_piece(Lexer *lexer) {
    size_t tag = next_tag(lexer);
    int kind = tag + 1 < lexer->source.size ? lexer->source.bytes[tag + 1] : 0;
    int sign = tag + 2 < lexer->source.size ? lexer->source.bytes[tag + 2] : 0;
    if (!kind) {
        add_data(lexer, lexer->source.size, '+', false);
        return;
    }
    add_data(lexer, tag, sign, kind == '{');
    size_t inside = tag + 2 + is_sign(sign);
    size_t raw = kind == '%' ? word_tag_end(lexer, inside, "raw", false) : 0;
    Text opening = jinja_part(lexer->source, tag, inside);
    if (raw) {
        leave_tag(lexer, raw);
        read_raw(lexer);
        return;
    }
    move_to(lexer, inside);
    lexer->line_starts = false;
    if (kind == '#')
        skip_comment(lexer);
    else if (kind == '%') {
        add_token(lexer, TOKEN_BLOCK_BEGIN, opening);
        read_tag(lexer, "%}", TOKEN_BLOCK_END);
    } else {
        add_token(lexer, TOKEN_VARIABLE_BEGIN, opening);
        read_tag(lexer, "}}", TOKEN_VARIABLE_END);
    }
}

const Token *jinja_tokens(Jinja *jinja, const char *source, size_t size) {
    Lexer lexer = {.jinja = jinja, .source = normalise(jinja, source, size), .line_starts = true};
    jinja->line = 1;
    while (lexer.at < lexer.source.size)
        read_piece(&lexer);
    add_token(&lexer, TOKEN_END, jinja_literal(jinja, "the end of the template"));
    return lexer.tokens;
}
