/* llmc.h — a model file of llm.c as a checkpoint: GPT-2, under GGUF's keys and names. */
#ifndef METAL_LLM_LLMC_H
#define METAL_LLM_LLMC_H

#include "checkpoint.h"

/* False and `error` on failure. */
bool llmc_load(Checkpoint *checkpoint, LLMError *error);

#endif
