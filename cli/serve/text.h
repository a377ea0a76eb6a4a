/* text.h — tokens and texts as a reply has them. */
#ifndef METAL_LLM_SERVE_TEXT_H
#define METAL_LLM_SERVE_TEXT_H

#include "problem.h"

/* Bytes that a model has drawn, as a text of JSON: what is no UTF-8, or a NUL, becomes '?'. NULL
 * if memory is out. */
cJSON *text_json(const char *bytes, size_t size);
/* A token's text; of one that is no UTF-8 by itself "bytes:\xe2\x96", as OpenAI has it. To be
 * freed; NULL if memory is out. */
char *token_text(const LLMPipeline *llm, uint32_t token);

/* The text of tokens, *size bytes, which may have NULs; to be freed. NULL and `error` on failure.
 */
char *tokens_text(LLMPipeline *llm, const LLMTokens *tokens, size_t *size, LLMError *error);

#endif
