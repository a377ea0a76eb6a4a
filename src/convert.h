/* convert.h — a model from any format that opens to a GGUF file of another type. */
#ifndef METAL_LLM_CONVERT_H
#define METAL_LLM_CONVERT_H

#include "model/model_file.h"

typedef struct ConvertOptions {
    TensorType type; /* f32, f16, bf16, q8_0, q4_0, q4_K, q5_K or q6_K */
    bool finer;      /* of q4_K: llama.cpp's mixture Q4_K_M, in which some matrices get more bits */
    void (*progress)(void *user, size_t count); /* weights that are done; NULL: none */
    void *user;                                 /* handed to progress */
} ConvertOptions;

/* The type that a tensor gets, and in *wanted the one that it would get if its rows were whole
 * blocks of it. */
TensorType convert_type(const ModelFile *model, const ConvertOptions *options,
                        const ModelTensor *tensor, TensorType *wanted);

/* Write `model`, its tokenizer included, to the GGUF file `path`. Matrices become
 * options->type, vectors and the position embedding f32; the token embedding and an output of its
 * own are q6_K where matrices have 4 or 5 bits, as llama.cpp has them. Rows that are no multiple of
 * 256 become q5_0 instead of q4_K, q5_1 instead of q5_K and q8_0 instead of q6_K; those that are no
 * multiple of 32 f16. A matrix that has its type already is copied. False and `error` on failure;
 * `path` is then as it was. */
bool convert_to_gguf(const ModelFile *model, const char *path, const ConvertOptions *options,
                     LLMError *error);

#endif
