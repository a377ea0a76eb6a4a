/* gemma.h — Gemma 3 (Gemma Team 2025), its text models. */
#ifndef METAL_LLM_GEMMA_H
#define METAL_LLM_GEMMA_H

#include "weights.h"

/* The pass that has begun. */
void gemma_forward(Run *run, const ModelConfig *config, const Weights *weights, Wanted wanted);

#endif
