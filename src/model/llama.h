/* llama.h — Llama (Touvron et al. 2023) and its relatives: Mistral, Qwen2, Qwen3. They differ in
 * their tables: biases of q, k and v, norms of heads, the order of what is turned. */
#ifndef METAL_LLM_LLAMA_H
#define METAL_LLM_LLAMA_H

#include "weights.h"

/* The pass that has begun. */
void llama_forward(Run *run, const ModelConfig *config, const Weights *weights, Wanted wanted);

#endif
