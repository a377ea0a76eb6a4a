/* fingerprint.h — a number that tells a model from others. */
#ifndef METAL_LLM_FINGERPRINT_H
#define METAL_LLM_FINGERPRINT_H

#include "model_file.h"

#include <stdint.h>

/* Of the architecture, the sizes, the tokenizer's texts, and every tensor's name, type, shape and a
 * part of its numbers: reading all of a large model would take longer than to open it. */
uint64_t model_fingerprint(const ModelFile *file);

#endif
