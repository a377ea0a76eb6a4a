/* convert.h — a model from any format that opens to a GGUF file of another type. */
#ifndef METAL_LLM_CONVERT_H
#define METAL_LLM_CONVERT_H

#include "model/model_file.h"

typedef struct ConvertOptions {
    TensorType type;                            /* f32, f16, q8_0 or q4_0 */
    void (*progress)(void *user, size_t count); /* weights that are done; NULL: none */
    void *user;                                 /* handed to progress */
} ConvertOptions;

/* Write `model`, its tokenizer included, to the GGUF file `path`. Matrices become
 * options->type, vectors and the position embedding f32; the token embedding and an output of its
 * own are q6_K in a q4_0 file, as llama.cpp has them, or q8_0 where a row is no multiple of 256. A
 * matrix that has its type already is copied. False and `error` on failure; `path` is then as it
 * was. */
bool convert_to_gguf(const ModelFile *model, const char *path, const ConvertOptions *options,
                     LLMError *error);

#endif
