#include "split_patterns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *pattern_known(const char *pattern) {
    static const char *const known[] = {PATTERN_GPT2,   PATTERN_DIGIT, PATTERN_DIGITS,
                                        PATTERN_LLAMA3, PATTERN_QWEN2, PATTERN_TEKKEN};
    static const char other_gpt2[] =
        "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(pattern, known[i]) == 0) return known[i];
    return strcmp(pattern, other_gpt2) == 0 ? PATTERN_GPT2 : NULL;
}

/* --- classes of characters --- */

/* PCRE2's \s has U+180E too, and the PCRE2 of 2022 knows Unicode 14: the letters, marks and numbers
 * of Unicode 15 and 16 are added to its own. */
#define UPPER "\\x{1C89}\\x{A7CB}-\\x{A7CC}\\x{A7DA}\\x{A7DC}\\x{10D50}-\\x{10D65}"
#define LOWER "\\x{1C8A}\\x{A7CD}\\x{A7DB}\\x{10D70}-\\x{10D85}\\x{1DF25}-\\x{1DF2A}"
#define MODIFIER                                                                                   \
    "\\x{10D4E}\\x{10D6F}\\x{16D40}-\\x{16D42}\\x{16D6B}-\\x{16D6C}\\x{1E030}-\\x{1E06D}"          \
    "\\x{1E4EB}"
#define OTHER                                                                                      \
    "\\x{105C0}-\\x{105F3}\\x{10D4A}-\\x{10D4D}\\x{10D4F}\\x{10EC2}-\\x{10EC4}"                    \
    "\\x{1123F}-\\x{11240}\\x{11380}-\\x{11389}\\x{1138B}\\x{1138E}\\x{11390}-\\x{113B5}"          \
    "\\x{113B7}\\x{113D1}\\x{113D3}\\x{11BC0}-\\x{11BE0}\\x{11F02}\\x{11F04}-\\x{11F10}"           \
    "\\x{11F12}-\\x{11F33}\\x{1342F}\\x{13441}-\\x{13446}\\x{13460}-\\x{143FA}"                    \
    "\\x{16100}-\\x{1611D}\\x{16D43}-\\x{16D6A}\\x{18CFF}\\x{1B132}\\x{1B155}"                     \
    "\\x{1E4D0}-\\x{1E4EA}\\x{1E5D0}-\\x{1E5ED}\\x{1E5F0}\\x{2B739}\\x{2EBF0}-\\x{2EE5D}"          \
    "\\x{31350}-\\x{323AF}"
#define MARK                                                                                       \
    "\\x{897}\\x{CF3}\\x{ECE}\\x{10D69}-\\x{10D6D}\\x{10EFC}-\\x{10EFF}\\x{11241}"                 \
    "\\x{113B8}-\\x{113C0}\\x{113C2}\\x{113C5}\\x{113C7}-\\x{113CA}\\x{113CC}-\\x{113D0}"          \
    "\\x{113D2}\\x{113E1}-\\x{113E2}\\x{11F00}-\\x{11F01}\\x{11F03}\\x{11F34}-\\x{11F3A}"          \
    "\\x{11F3E}-\\x{11F42}\\x{11F5A}\\x{13440}\\x{13447}-\\x{13455}\\x{1611E}-\\x{1612F}"          \
    "\\x{1E08F}\\x{1E4EC}-\\x{1E4EF}\\x{1E5EE}-\\x{1E5EF}"
#define NUMBER                                                                                     \
    "\\x{10D40}-\\x{10D49}\\x{116D0}-\\x{116E3}\\x{11BF0}-\\x{11BF9}\\x{11F50}-\\x{11F59}"         \
    "\\x{16130}-\\x{16139}\\x{16D70}-\\x{16D79}\\x{1CCF0}-\\x{1CCF9}\\x{1D2C0}-\\x{1D2D3}"         \
    "\\x{1E4F0}-\\x{1E4F9}\\x{1E5F1}-\\x{1E5FA}"
#define SPACE                                                                                      \
    "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}"       \
    "\\x{3000}"

static const struct {
    const char *name, *members;
    bool outside; /* its complement, and only outside brackets */
} classes[] = {
    {"\\p{L}", "\\p{L}" UPPER LOWER MODIFIER OTHER, false},
    {"\\p{Lu}", "\\p{Lu}" UPPER, false},
    {"\\p{Ll}", "\\p{Ll}" LOWER, false},
    {"\\p{Lt}", "\\p{Lt}", false},
    {"\\p{Lm}", "\\p{Lm}" MODIFIER, false},
    {"\\p{Lo}", "\\p{Lo}" OTHER, false},
    {"\\p{M}", "\\p{M}" MARK, false},
    {"\\p{N}", "\\p{N}" NUMBER, false},
    {"\\s", SPACE, false},
    {"\\S", SPACE, true},
};

/* --- writing them out --- */

/* Write the class that `at` begins with; returns how far it goes, 0 if none does. */
static size_t put_class(FILE *out, const char *at, bool in_brackets) {
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        size_t size = strlen(classes[i].name);
        if (strncmp(at, classes[i].name, size) != 0) continue;
        const char *open = in_brackets ? "" : classes[i].outside ? "[^" : "[";
        fprintf(out, "%s%s%s", open, classes[i].members, in_brackets ? "" : "]");
        return size;
    }
    return 0;
}

char *pattern_for_pcre2(const char *pattern, LLMError *error) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return error_memory(error, strlen(pattern));
    bool in_brackets = false;
    for (const char *at = pattern; *at;) {
        size_t length = put_class(out, at, in_brackets);
        if (length == 0) {
            if (*at == '[' || *at == ']') in_brackets = *at == '[';
            length = *at == '\\' ? 2 : 1; /* an escape of another kind */
            fwrite(at, 1, length, out);
        }
        at += length;
    }
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    if (!failed && text) return text; /* glibc gives none and no error where memory was out */
    free(text);
    return error_memory(error, strlen(pattern));
}
