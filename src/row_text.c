#include "row_text.h"

#include <stdlib.h>
#include <string.h>

/* Room for `wanted` elements, or NULL. */
static void *grow(void *list, size_t *capacity, size_t wanted, size_t size, LLMError *error) {
    if (wanted <= *capacity) return list;
    void *grown = realloc(list, 2 * wanted * size);
    if (!grown) return error_memory(error, 2 * wanted * size);
    *capacity = 2 * wanted;
    return grown;
}

bool row_text_add(RowText *text, const WaitingToken *token, const char *bytes, size_t size,
                  LLMError *error) {
    char *all = grow(text->bytes, &text->capacity, text->count + size + 1, 1, error);
    if (!all) return false;
    text->bytes = all;
    WaitingToken *tokens =
        grow(text->tokens, &text->token_capacity, text->token_count + 1, sizeof *tokens, error);
    if (!tokens) return false;
    text->tokens = tokens;
    if (size) memcpy(text->bytes + text->count, bytes, size);
    text->count += size;
    tokens[text->token_count] = *token;
    tokens[text->token_count++].end = text->count;
    return true;
}

/* Bytes at the end of the text that begin a stop text. */
static size_t begun_stop(const RowText *text, const char *const *stops, size_t stop_count) {
    size_t most = 0;
    for (size_t i = 0; i < stop_count; i++)
        for (size_t n = strlen(stops[i]) - 1; n > most; n--)
            if (n <= text->count && !memcmp(text->bytes + text->count - n, stops[i], n)) most = n;
    return most;
}

size_t row_text_settled(const RowText *text, const char *const *stops, size_t stop_count,
                        bool *stopped) {
    size_t first = text->count;
    *stopped = false;
    for (size_t i = 0; i < stop_count; i++) {
        const char *found = memmem(text->bytes, text->count, stops[i], strlen(stops[i]));
        if (!found) continue;
        *stopped = true;
        if ((size_t)(found - text->bytes) < first) first = (size_t)(found - text->bytes);
    }
    return *stopped ? first : first - begun_stop(text, stops, stop_count);
}

void row_text_drop_token(RowText *text) {
    text->token_count--;
    memmove(text->tokens, text->tokens + 1, text->token_count * sizeof *text->tokens);
}

void row_text_drop_bytes(RowText *text, size_t size) {
    if (size == 0) return;
    text->count -= size;
    memmove(text->bytes, text->bytes + size, text->count);
    for (size_t i = 0; i < text->token_count; i++)
        text->tokens[i].end -= size;
}

void row_text_free(RowText *text) {
    free(text->bytes);
    free(text->tokens);
}
