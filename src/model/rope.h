/* rope.h — the frequencies of rotary positions: Su et al. 2021, scaled as transformers
 * (modeling_rope_utils.py) and llama.cpp do. */
#ifndef METAL_LLM_ROPE_H
#define METAL_LLM_ROPE_H

#include "architecture.h"

enum { ROPE_MOST_PAIRS = MOST_HEAD_SIZE / 2 };

/* What Llama 3's scaling divides each frequency by: factors [dims / 2]. A GGUF file has them as its
 * rope_freqs.weight. */
void rope_llama3_factors(const RopeConfig *rope, float *factors);
/* frequencies [dims / 2] of global layers, divided by `factors` [dims / 2] unless NULL; and of
 * windowed ones, where they have a base of their own. */
void rope_frequencies(const RopeConfig *rope, const float *factors, float *frequencies);
void rope_local_frequencies(const RopeConfig *rope, float *frequencies);
/* By how much cos and sin of global layers are multiplied. */
float rope_magnitude(const RopeConfig *rope);

#endif
