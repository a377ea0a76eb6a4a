/* generation.h — what a caller asks of a generation, checked. */
#ifndef METAL_LLM_GENERATION_H
#define METAL_LLM_GENERATION_H

#include "error.h"

/* False and `error` if a field is out of its range. */
bool generation_check(const LLMGeneration *generation, uint32_t V, LLMError *error);
/* bias[V] of a generation with one, which the caller frees. NULL and `error` if no token is left,
 * or no memory. */
float *generation_bias(const LLMGeneration *generation, uint32_t V, LLMError *error);

#endif
