#include "reader.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* --- function constants --- */

/* A word in front of a constant that says nothing of its type. */
static bool is_storage(const Token *token) {
    static const char *const words[] = {"constant", "const", "static", "constexpr", "inline"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (token_is(token, words[i])) return true;
    return false;
}

bool take_function_constant(Reader *reader) {
    Reader start = *reader;
    BoundFunctionConstant constant = {.begin = reader_offset(reader, &reader->token),
                                      .line = reader->token.line,
                                      .type = "",
                                      .name = ""};
    Token last = {0};
    Depth depth = {0};
    bool is_constant = false;
    for (; reader->token.text; reader_next(reader)) {
        bool is_part = token_is_word(&reader->token) || token_is(&reader->token, ":") ||
                       token_is(&reader->token, "<") || depth.angle;
        if (!is_part) break;
        is_constant |= token_is(&reader->token, "constant");
        if (is_storage(&reader->token)) continue;
        depth_count(&depth, &reader->token);
        if (last.text && !reader_append(reader, &constant.type, &last)) return false;
        last = reader->token;
    }
    if (!is_constant) last.text = NULL;
    BoundParameter attribute = {.name = "", .type = "", .attribute = ""};
    if (last.text && token_is(&reader->token, "[") && *reader->at == '[' &&
        read_attribute(reader, &attribute) && !strcmp(attribute.attribute, "function_constant") &&
        token_is(&reader->token, ";")) {
        if (!attribute.has_index)
            return reader_refuse(reader, constant.line,
                                 "the index of [[function_constant(…)]] is not known");
        constant.index = attribute.index;
        constant.end = reader_offset(reader, &reader->token) + 1;
        BoundFile *file = reader->file;
        if (!reader_append(reader, &constant.name, &last) ||
            !reader_grow(reader, &file->constants, file->constant_count, sizeof constant))
            return false;
        file->constants[file->constant_count++] = constant;
        return true;
    }
    *reader = start;
    return false;
}

/* --- values of constants --- */

enum { DEEPEST = 32 }; /* parentheses within each other */

/* What a sum of numbers and known constants is. */
typedef struct Evaluation {
    Reader *reader;
    bool is_known;
    int depth;
} Evaluation;

static long long unknown(Evaluation *evaluation) {
    evaluation->is_known = false;
    return 0;
}

static long long named_value(Evaluation *evaluation) {
    const BoundFile *file = evaluation->reader->file;
    for (size_t i = file->value_count; i-- > 0;)
        if (token_is(&evaluation->reader->token, file->values[i].name))
            return file->values[i].value;
    return unknown(evaluation);
}

/* 32, 0x20u; what is no number is unknown. */
static long long number_value(Evaluation *evaluation) {
    const Token *token = &evaluation->reader->token;
    char *end;
    unsigned long long value = strtoull(token->text, &end, 0);
    while (end < token->text + token->length && strchr("uUlL", *end))
        end++;
    bool is_whole = end == token->text + token->length;
    return is_whole && value <= UINT32_MAX ? (long long)value : unknown(evaluation);
}

static long long bits_value(Evaluation *evaluation, unsigned level);

static long long factor_value(Evaluation *evaluation) {
    Reader *reader = evaluation->reader;
    const Token *token = &reader->token;
    long long value;
    if (token_is(token, "(") && evaluation->depth < DEEPEST) {
        reader_next(reader);
        evaluation->depth++;
        value = bits_value(evaluation, 0);
        evaluation->depth--;
        if (!token_is(token, ")")) return unknown(evaluation);
    } else if (!token->text || !is_word_character(*token->text)) {
        return unknown(evaluation);
    } else {
        value = token_is_word(token) ? named_value(evaluation) : number_value(evaluation);
    }
    reader_next(reader);
    return value;
}

static long long product_value(Evaluation *evaluation) {
    Reader *reader = evaluation->reader;
    long long value = factor_value(evaluation);
    while (evaluation->is_known) {
        bool times = token_is(&reader->token, "*"), over = token_is(&reader->token, "/");
        if (!times && !over && !token_is(&reader->token, "%")) return value;
        reader_next(reader);
        long long other = factor_value(evaluation);
        if (times ? __builtin_mul_overflow(value, other, &value) : other <= 0)
            return unknown(evaluation);
        if (!times) value = over ? value / other : value % other;
    }
    return 0;
}

static long long sum_value(Evaluation *evaluation) {
    Reader *reader = evaluation->reader;
    long long value = product_value(evaluation);
    while (evaluation->is_known) {
        bool plus = token_is(&reader->token, "+");
        if (!plus && !token_is(&reader->token, "-")) return value;
        reader_next(reader);
        long long other = product_value(evaluation);
        if (plus ? __builtin_add_overflow(value, other, &value)
                 : __builtin_sub_overflow(value, other, &value))
            return unknown(evaluation);
    }
    return 0;
}

/* Is it << or >>? */
static bool is_shift(const Reader *reader) {
    const Token *token = &reader->token;
    return (token_is(token, "<") || token_is(token, ">")) && reader->at < reader->end &&
           *reader->at == *token->text;
}

static long long shift_value(Evaluation *evaluation) {
    Reader *reader = evaluation->reader;
    long long value = sum_value(evaluation);
    while (evaluation->is_known && is_shift(reader)) {
        bool left = token_is(&reader->token, "<");
        reader_next(reader);
        reader_next(reader);
        long long bits = sum_value(evaluation);
        if (bits < 0 || bits > 31 || value < 0 || value > UINT32_MAX) return unknown(evaluation);
        value = left ? value << bits : value >> bits;
    }
    return value;
}

/* |, ^ and & in turn, each of which binds closer. */
static long long bits_value(Evaluation *evaluation, unsigned level) {
    static const char *const operators[] = {"|", "^", "&"};
    if (level == sizeof operators / sizeof *operators) return shift_value(evaluation);
    Reader *reader = evaluation->reader;
    long long value = bits_value(evaluation, level + 1);
    while (evaluation->is_known && token_is(&reader->token, operators[level])) {
        reader_next(reader);
        long long other = bits_value(evaluation, level + 1);
        value = level == 0 ? value | other : level == 1 ? value ^ other : value & other;
    }
    return value;
}

static bool ends_value(const Token *token) {
    return !token->text || token_is(token, ",") || token_is(token, ";") || token_is(token, "}");
}

bool read_number(Reader *reader, unsigned *number) {
    Evaluation evaluation = {.reader = reader, .is_known = true};
    long long value = bits_value(&evaluation, 0);
    *number = (unsigned)value;
    bool is_all = ends_value(&reader->token) || token_is(&reader->token, ")");
    return evaluation.is_known && is_all && value >= 0 && value <= UINT32_MAX;
}

/* After the value of one name; the current token is the one after its '='. */
static bool read_value_of(Reader *reader, BoundValue *value) {
    Evaluation evaluation = {.reader = reader, .is_known = true};
    value->value = bits_value(&evaluation, 0);
    bool is_known = evaluation.is_known && ends_value(&reader->token) && value->value >= 0 &&
                    value->value <= UINT32_MAX;
    for (Depth depth = {0}; reader->token.text; reader_next(reader)) {
        if (depth.parenthesis <= 0 && ends_value(&reader->token)) break;
        depth_count(&depth, &reader->token);
    }
    return is_known;
}

static bool add_value(Reader *reader, const BoundValue *value) {
    BoundFile *file = reader->file;
    if (!reader_grow(reader, &file->values, file->value_count, sizeof *value)) return false;
    file->values[file->value_count++] = *value;
    return true;
}

/* Does the line go on with a comment that begins with `host:`? The current token is its ';'. */
static bool is_shared(const Reader *reader) {
    size_t left = (size_t)(reader->end - reader->at), blanks = 0;
    while (blanks < left && isblank((unsigned char)reader->at[blanks]))
        blanks++;
    const char *comment = reader->at + blanks;
    left -= blanks;
    if (left < 2 || comment[0] != '/' || comment[1] != '/') return false;
    for (comment += 2, left -= 2; left && isblank((unsigned char)*comment); comment++)
        left--;
    return left >= 5 && !memcmp(comment, "host:", 5);
}

static bool is_whole_type(const Token *token) {
    static const char *const types[] = {"uint", "int", "ushort", "short", "uchar", "char"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (token_is(token, types[i])) return true;
    return false;
}

bool read_values(Reader *outer) {
    Reader copy = *outer, *reader = &copy;
    BoundFile *file = reader->file;
    reader_next(reader);
    if (!token_is(&reader->token, "constexpr")) return true;
    reader_next(reader);
    bool is_whole = is_whole_type(&reader->token), all_known = is_whole;
    size_t first = file->value_count;
    do {
        reader_next(reader);
        BoundValue value = {.place = reader_place(reader), .name = ""};
        if (!token_is_word(&reader->token) || !reader_append(reader, &value.name, &reader->token))
            return !file->error[0];
        reader_next(reader);
        if (!token_is(&reader->token, "=")) return true;
        reader_next(reader);
        bool is_known = read_value_of(reader, &value);
        if (is_known && is_whole && !add_value(reader, &value)) return false;
        all_known = all_known && is_known;
    } while (token_is(&reader->token, ","));
    if (!token_is(&reader->token, ";") || !is_shared(reader)) return true;
    for (size_t i = first; i < file->value_count; i++)
        file->values[i].is_shared = true;
    return all_known || reader_refuse(reader, reader->line,
                                      "what the host shares must be a whole number whose value "
                                      "does not depend on the target");
}

bool read_enum(Reader *outer) {
    Reader copy = *outer, *reader = &copy;
    while (reader->token.text && !token_is(&reader->token, "{") && !token_is(&reader->token, ";"))
        reader_next(reader);
    if (!token_is(&reader->token, "{")) return true;
    bool is_known = true;
    long long next = 0;
    for (reader_next(reader); token_is_word(&reader->token);) {
        BoundValue value = {.place = reader_place(reader), .name = ""};
        if (!reader_append(reader, &value.name, &reader->token)) return false;
        reader_next(reader);
        if (token_is(&reader->token, "=")) {
            reader_next(reader);
            is_known = read_value_of(reader, &value);
            next = value.value;
        }
        value.value = next++;
        if (is_known && !add_value(reader, &value)) return false;
        if (token_is(&reader->token, ",")) reader_next(reader);
    }
    return true;
}
