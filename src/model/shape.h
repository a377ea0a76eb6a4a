/* shape.h — a model without a file: the sizes of one that people run, for measuring. */
#ifndef METAL_LLM_SHAPE_H
#define METAL_LLM_SHAPE_H

#include "model_file.h"

/* Of a name as "llama-8b" and a type as "f16", or "q4_K_M" for llama.cpp's mixture. Its tensors
 * have no data: weights_load fills them at random. NULL and `error`, with the names that there are,
 * on failure; release with model_file_close. */
ModelFile *shape_open(const char *name, const char *type, LLMError *error);

#endif
