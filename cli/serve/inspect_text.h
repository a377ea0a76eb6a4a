/* inspect_text.h — the text that is to be looked into. */
#ifndef METAL_LLM_SERVE_INSPECT_TEXT_H
#define METAL_LLM_SERVE_INSPECT_TEXT_H

#include "fields.h"

/* "prompt", a text or ids, or the "messages" of a chat: at least a token, and within the context.
 * The caller frees them with llm_tokens_free, whether true or false comes back. */
bool inspect_text_read(LLMPipeline *llm, const Fields *fields, LLMTokens *tokens);

#endif
