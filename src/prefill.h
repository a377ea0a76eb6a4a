/* prefill.h — texts into the KV cache, in pieces that the buffers have room for. */
#ifndef METAL_LLM_PREFILL_H
#define METAL_LLM_PREFILL_H

#include "model/pipeline.h"

/* The prompts of `rows` rows, up to the logits [B,V] of their last tokens, with room for `more`
 * tokens behind them. Buffers' `lengths` and `counts` stay as the step kernels expect them:
 * advance_step adds the one to the other. What all rows begin with, if it fills a page, is computed
 * once: several answers to one prompt, or to one beginning. False and `error` on failure. */
bool prefill_rows(LLMPipeline *llm, const LLMTokens *tokens, uint32_t rows, size_t more,
                  LLMError *error);

/* Called after the forward pass of each piece of a text, `count` tokens; false ends the run. */
typedef bool PieceCallback(void *context, uint32_t count);
/* One text, of which all rows are made, piece by piece. */
bool prefill_text(LLMPipeline *llm, const LLMTokens *text, PieceCallback *each, void *context,
                  LLMError *error);

static inline uint32_t prefill_at_most(size_t tokens, uint32_t most) {
    return tokens < most ? (uint32_t)tokens : most;
}

#endif
