#include "tokens.h"

#include <stdlib.h>

bool tokens_reserve(LLMTokens *tokens, size_t count, LLMError *error) {
    size_t needed = tokens->count + count;
    if (needed <= tokens->capacity) return true;
    size_t capacity = needed > 2 * tokens->capacity ? needed : 2 * tokens->capacity;
    uint32_t *ids = realloc(tokens->ids, capacity * sizeof *ids);
    if (!ids) return error_memory(error, capacity * sizeof *ids);
    tokens->ids = ids;
    tokens->capacity = capacity;
    return true;
}

bool tokens_append(LLMTokens *tokens, uint32_t id, LLMError *error) {
    if (!tokens_reserve(tokens, 1, error)) return false;
    tokens->ids[tokens->count++] = id;
    return true;
}

void llm_tokens_free(LLMTokens *tokens) {
    if (!tokens) return;
    free(tokens->ids);
    *tokens = (LLMTokens){0};
}
