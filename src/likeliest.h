/* likeliest.h — from a row of logits to the tokens that are likeliest. */
#ifndef METAL_LLM_LIKELIEST_H
#define METAL_LLM_LIKELIEST_H

#include "metal_llm.h"

/* ln Σ exp(logit), by which a logit is more than its ln p. NaN if one of them is. */
double logits_log_sum(const float *logits, size_t V);
/* The `count` ≤ V likeliest, the likeliest first, of two alike the one of the lower id. */
void likeliest(const float *logits, size_t V, double log_sum, LLMLogprob *out, size_t count);

#endif
