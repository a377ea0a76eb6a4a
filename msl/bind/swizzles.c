/* swizzles.c — assignments through a swizzle of a swizzle. */
#include "reader.h"

#include <string.h>

/* Where a letter stands in xyzw or in rgba: 0 to 7, or -1. */
static int letter_index(char letter) {
    static const char letters[] = "xyzwrgba";
    const char *at = strchr(letters, letter);
    return at && letter ? (int)(at - letters) : -1;
}

static bool is_swizzle(const Token *token) {
    if (!token->length || token->length > 4) return false;
    for (size_t i = 0; i < token->length; i++) {
        int index = letter_index(token->text[i]);
        if (index < 0 || index / 4 != letter_index(*token->text) / 4) return false;
    }
    return true;
}

/* Is it also what the file calls a member or a variable of its own? */
static bool is_declared(const Reader *reader, const Token *name) {
    Token before = {0};
    for (Reader word = reader_start_file(reader->file); word.token.text; reader_next(&word)) {
        if (word.token.length == name->length &&
            !memcmp(word.token.text, name->text, name->length) && !token_is(&before, ".") &&
            !token_is(&before, ">"))
            return true;
        before = word.token;
    }
    return false;
}

/* What `word` picks of the letters in `swizzle`, which it replaces. False if it cannot. */
static bool pick(char swizzle[5], const Token *word) {
    char picked[5] = "";
    for (size_t i = 0; i < word->length; i++) {
        size_t index = (size_t)letter_index(word->text[i]) % 4;
        if (index >= strlen(swizzle)) return false;
        picked[i] = swizzle[index];
    }
    memcpy(swizzle, picked, sizeof picked);
    return true;
}

/* =, +=, <<=, ++, but not == or <=. */
static bool is_assignment(Reader word) {
    char first = word.token.text ? *word.token.text : 0, second = 0;
    bool near = word.at < word.end;
    if (near) second = *word.at;
    if (first == '=') return second != '=';
    if (first && strchr("<>", first))
        return near && second == first && word.at + 1 < word.end && word.at[1] == '=';
    if (first && strchr("+-", first) && second == first) return true;
    return first && strchr("+-*/%&|^", first) && second == '=';
}

bool read_swizzles(Reader *reader) {
    Reader word = *reader, last;
    char swizzle[5] = "";
    reader_next(&word);
    if (!is_swizzle(&word.token) || word.token.length < 2) return true;
    Token first = word.token;
    size_t begin = reader_offset(&word, &first), end = 0;
    memcpy(swizzle, first.text, first.length);
    for (reader_next(&word); token_is(&word.token, "."); reader_next(&word)) {
        reader_next(&word);
        if (!is_swizzle(&word.token) || !pick(swizzle, &word.token)) return true;
        end = reader_offset(&word, &word.token) + word.token.length;
        last = word;
    }
    if (!end || !is_assignment(word) || is_declared(reader, &first)) return true;
    *reader = last;
    return reader_edit(reader, begin, end, reader_keep(reader, swizzle, strlen(swizzle)));
}
