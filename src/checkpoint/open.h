/* open.h — open a model file of any format. */
#ifndef METAL_LLM_OPEN_H
#define METAL_LLM_OPEN_H

#include "checkpoint.h"

/* What a checkpoint is opened for: with the tokenizer alone, no weights need be there. Weights are
 * mapped, or read into memory. */
typedef enum CheckpointUse { USE_MODEL, USE_MODEL_IN_MEMORY, USE_TOKENIZER } CheckpointUse;

/* Open whatever `path` is. NULL and `error` on failure; release with checkpoint_close. */
Checkpoint *checkpoint_open(const char *path, CheckpointUse use, LLMError *error);

#endif
