/* damage.h — weights that are not numbers. */
#ifndef METAL_LLM_DAMAGE_H
#define METAL_LLM_DAMAGE_H

#include "model_file.h"

/* Whether a weight is infinite or not a number, and then where: "blk.0.ffn_down.weight, row 5".
 * Reads all of the weights, which takes seconds of a large model. */
bool damage_find(const ModelFile *file, char *where, size_t size);

#endif
