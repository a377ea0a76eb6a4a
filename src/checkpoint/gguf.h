/* gguf.h — a GGUF file as a checkpoint. */
#ifndef METAL_LLM_GGUF_H
#define METAL_LLM_GGUF_H

#include "checkpoint.h"

/* False and `error` on failure. Without `tensors` the list of them is not read. */
bool gguf_load(Checkpoint *checkpoint, bool tensors, LLMError *error);

#endif
