/* huggingface.h — a Hugging Face folder as a checkpoint. */
#ifndef METAL_LLM_HUGGINGFACE_H
#define METAL_LLM_HUGGINGFACE_H

#include "checkpoint.h"

/* False and `error` on failure. Without `tensors` neither weights nor config.json need be there. */
bool huggingface_load(Checkpoint *checkpoint, const char *folder, bool tensors, LLMError *error);

#endif
