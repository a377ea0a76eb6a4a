/* model_config.h — what a checkpoint says of its model's sizes and switches, by the table of its
 * architecture: each key is honoured, known to change nothing, or refused by name. */
#ifndef METAL_LLM_MODEL_CONFIG_H
#define METAL_LLM_MODEL_CONFIG_H

#include "architecture.h"

/* False and `error` on failure. */
bool model_config_read(ModelConfig *config, const Architecture *architecture,
                       const Checkpoint *checkpoint, LLMError *error);

#endif
