/* safetensors.h — a .safetensors file: a JSON list of tensors, then their data. */
#ifndef METAL_LLM_SAFETENSORS_H
#define METAL_LLM_SAFETENSORS_H

#include "file_map.h"
#include "tensor_index.h"

/* Add every tensor of the mapped file to `index`, each checked to lie inside the file. `path` names
 * the file in errors. */
bool safetensors_read(TensorIndex *index, FileMap map, const char *path, LLMError *error);

#endif
