/* generate.h — what llm_generate_batch and llm_session_generate share. */
#ifndef METAL_LLM_GENERATE_H
#define METAL_LLM_GENERATE_H

#include "model/pipeline.h"

/* Tokens of the prompts: computed for this, and taken from what was computed before; and those of
 * the first row that are left out in the end. */
typedef struct GenerateUsage {
    size_t computed, cached, left_out;
} GenerateUsage;

/* The caller's options, or the defaults for NULL. */
bool generate_options(LLMGeneration *options, const LLMGeneration *given, LLMError *error);
/* An error if `tokens` is NULL, has an id that is not in the vocabulary, or is longer than the
 * context. */
bool generate_check_tokens(const LLMPipeline *llm, const LLMTokens *tokens, LLMError *error);
/* Check rows and options; a row that is empty is begun. */
bool generate_check(LLMPipeline *llm, LLMTokens *tokens, uint32_t rows,
                    const LLMGeneration *options, LLMError *error);
/* Continue checked rows; with `keeps` what was computed stays in the KV cache. Returns the number
 * of tokens appended. */
size_t generate_rows(LLMPipeline *llm, LLMTokens *tokens, uint32_t rows, size_t count,
                     const LLMGeneration *options, bool keeps, GenerateUsage *usage,
                     LLMError *error);

#endif
