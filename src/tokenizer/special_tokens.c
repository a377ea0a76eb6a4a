#include "special_tokens.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

bool special_tokens_add(SpecialTokens *tokens, uint32_t id, const char *text, size_t size,
                        unsigned flags, LLMError *error) {
    size_t bytes = (tokens->count + 1) * sizeof *tokens->items;
    SpecialToken *items = realloc(tokens->items, bytes);
    if (!items) return error_memory(error, bytes);
    tokens->items = items;
    char *copy = malloc(size);
    if (!copy) return error_memory(error, size);
    memcpy(copy, text, size);
    items[tokens->count++] = (SpecialToken){copy, size, id, flags};
    return true;
}

static int compare(const void *a, const void *b) {
    const SpecialToken *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

bool special_tokens_sort(SpecialTokens *tokens, LLMError *error) {
    if (tokens->count > 0) qsort(tokens->items, tokens->count, sizeof *tokens->items, compare);
    for (size_t i = 1; i < tokens->count; i++)
        if (compare(&tokens->items[i - 1], &tokens->items[i]) == 0)
            return error_set(error, LLM_ERROR_FORMAT, "special tokens %u and %u have the same text",
                             tokens->items[i - 1].id, tokens->items[i].id);
    return true;
}

void special_tokens_free(SpecialTokens *tokens) {
    for (size_t i = 0; i < tokens->count; i++)
        free(tokens->items[i].text);
    free(tokens->items);
    *tokens = (SpecialTokens){0};
}

/* The first of items[low … high − 1], which agree up to `depth`, whose byte there is >= `byte`. */
static size_t lower_bound(const SpecialToken *items, size_t low, size_t high, size_t depth,
                          int byte) {
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((unsigned char)items[middle].text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest token that the text begins with, NULL if none: narrow down items[low … high − 1] to
 * those that agree with the text byte by byte. */
static const SpecialToken *longest_prefix(const SpecialTokens *tokens, const char *text,
                                          size_t size) {
    const SpecialToken *longest = NULL;
    size_t low = 0, high = tokens->count;
    for (size_t depth = 0; depth < size && low < high; depth++) {
        int byte = (unsigned char)text[depth];
        low = lower_bound(tokens->items, low, high, depth, byte);
        high = lower_bound(tokens->items, low, high, depth, byte + 1);
        if (low < high && tokens->items[low].size == depth + 1) longest = &tokens->items[low++];
    }
    return longest;
}

/* Unicode's White_Space. */
static bool is_white_space(uint32_t c) {
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

/* Where the white space that begins at `at` ends. */
static size_t skip_space(const char *text, size_t size, size_t at) {
    uint32_t character;
    size_t length;
    while ((length = utf8_decode(text + at, size - at, &character)) && is_white_space(character))
        at += length;
    return at;
}

/* Where the white space that ends at `at` begins, not before `from`; its characters have 3 bytes at
 * most. */
static size_t skip_space_back(const char *text, size_t from, size_t at) {
    for (size_t start = at; start > from && at - start < 3;) {
        start--;
        if (skip_space(text, at, start) == at) at = start;
    }
    return at;
}

bool special_tokens_next(const SpecialTokens *tokens, const char *text, size_t size, size_t from,
                         SpecialMatch *match) {
    const SpecialToken *token = NULL;
    size_t start = tokens->count > 0 ? from : size;
    while (start < size && !(token = longest_prefix(tokens, text + start, size - start)))
        start++;
    if (!token) return false;
    size_t end = start + token->size;
    if (token->flags & SPECIAL_STRIP_LEFT) start = skip_space_back(text, from, start);
    if (token->flags & SPECIAL_STRIP_RIGHT) end = skip_space(text, size, end);
    *match = (SpecialMatch){start, end, token->id};
    return true;
}
