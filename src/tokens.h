/* tokens.h — LLMTokens as a growing array. */
#ifndef METAL_LLM_TOKENS_H
#define METAL_LLM_TOKENS_H

#include "error.h"

/* Make room for `count` more ids. */
bool tokens_reserve(LLMTokens *tokens, size_t count, LLMError *error);
bool tokens_append(LLMTokens *tokens, uint32_t id, LLMError *error);

#endif
