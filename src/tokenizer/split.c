#include "split.h"

#include "utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* The pattern of openai/gpt-2, src/encoder.py. White space is spelt out as Unicode's White_Space:
 * PCRE2's \s has U+180E too. Letters and numbers are \p{L} and \p{N} with what Unicode 15 and 16
 * added to them, so that the PCRE2 of 2022 splits as today's tokenizers do. */
#define SPACE                                                                                      \
    "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}"       \
    "\\x{3000}"
#define LETTER                                                                                     \
    "\\p{L}\\x{1C89}-\\x{1C8A}\\x{A7CB}-\\x{A7CD}\\x{A7DA}-\\x{A7DC}\\x{105C0}-\\x{105F3}"         \
    "\\x{10D4A}-\\x{10D65}\\x{10D6F}-\\x{10D85}\\x{10EC2}-\\x{10EC4}\\x{1123F}-\\x{11240}"         \
    "\\x{11380}-\\x{11389}\\x{1138B}\\x{1138E}\\x{11390}-\\x{113B5}\\x{113B7}\\x{113D1}"           \
    "\\x{113D3}\\x{11BC0}-\\x{11BE0}\\x{11F02}\\x{11F04}-\\x{11F10}\\x{11F12}-\\x{11F33}"          \
    "\\x{1342F}\\x{13441}-\\x{13446}\\x{13460}-\\x{143FA}\\x{16100}-\\x{1611D}"                    \
    "\\x{16D40}-\\x{16D6C}\\x{18CFF}\\x{1B132}\\x{1B155}\\x{1DF25}-\\x{1DF2A}"                     \
    "\\x{1E030}-\\x{1E06D}\\x{1E4D0}-\\x{1E4EB}\\x{1E5D0}-\\x{1E5ED}\\x{1E5F0}\\x{2B739}"          \
    "\\x{2EBF0}-\\x{2EE5D}\\x{31350}-\\x{323AF}"
#define NUMBER                                                                                     \
    "\\p{N}\\x{10D40}-\\x{10D49}\\x{116D0}-\\x{116E3}\\x{11BF0}-\\x{11BF9}\\x{11F50}-\\x{11F59}"   \
    "\\x{16130}-\\x{16139}\\x{16D70}-\\x{16D79}\\x{1CCF0}-\\x{1CCF9}\\x{1D2C0}-\\x{1D2D3}"         \
    "\\x{1E4F0}-\\x{1E4F9}\\x{1E5F1}-\\x{1E5FA}"

static const char pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?[" LETTER "]+| ?[" NUMBER "]+| ?[^" SPACE LETTER NUMBER "]+"
    "|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+";

/* A Split is the compiled pattern. */
static const pcre2_code *code_of(const Split *split) {
    return (const pcre2_code *)split;
}

Split *split_new(LLMError *error) {
    int status;
    size_t offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_ANCHORED, &status, &offset, NULL);
    if (!code)
        error_set(error, LLM_ERROR_DEVICE,
                  "PCRE2 refuses the tokenizer's pattern (error %d): install one with Unicode",
                  status);
    else
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without JIT it is slower, not different */
    return (Split *)code;
}

void split_free(Split *split) {
    pcre2_code_free((pcre2_code *)split);
}

static bool split_characters(const Split *split, pcre2_match_data *match, const char *text,
                             size_t size, SplitPiece on_piece, void *user, LLMError *error) {
    for (size_t at = 0; at < size;) {
        int status = pcre2_match(code_of(split), (PCRE2_SPTR)text, size, at, PCRE2_NO_UTF_CHECK,
                                 match, NULL);
        if (status < 0)
            return error_set(error, LLM_ERROR_ARGUMENT,
                             "PCRE2 cannot split the text at byte %zu (error %d)", at, status);
        size_t end = pcre2_get_ovector_pointer(match)[1];
        if (!on_piece(user, text + at, end - at)) return false;
        at = end;
    }
    return true;
}

/* How many bytes the text's first run of characters, or of bytes that are none, has. */
static size_t run_length(const char *text, size_t size, bool *characters) {
    uint32_t character;
    size_t length = utf8_decode(text, size, &character), end = 0;
    *characters = length > 0;
    do {
        end += length ? length : 1;
        length = utf8_decode(text + end, size - end, &character);
    } while (end < size && (length > 0) == *characters);
    return end;
}

bool split_text(const Split *split, const char *text, size_t size, SplitPiece on_piece, void *user,
                LLMError *error) {
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(code_of(split), NULL);
    if (!match) return error_memory(error, size);
    bool going_on = true;
    for (size_t at = 0, length; going_on && at < size; at += length) {
        bool characters;
        length = run_length(text + at, size - at, &characters);
        going_on = characters
                       ? split_characters(split, match, text + at, length, on_piece, user, error)
                       : on_piece(user, text + at, length);
    }
    pcre2_match_data_free(match);
    return going_on;
}
