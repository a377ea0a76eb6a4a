/* gpt2.h — GPT-2 (Radford et al. 2019). */
#ifndef METAL_LLM_GPT2_H
#define METAL_LLM_GPT2_H

#include "weights.h"

/* The pass that has begun. */
void gpt2_forward(Run *run, const ModelConfig *config, const Weights *weights, Wanted wanted);

#endif
