/* model_file.h — a checkpoint, understood: its architecture, sizes, and every tensor that the
 * architecture has, each checked against the sizes. What it says is honoured or refused by name. */
#ifndef METAL_LLM_MODEL_FILE_H
#define METAL_LLM_MODEL_FILE_H

#include "architecture.h"

/* A tensor that has found its place. */
typedef struct ModelTensor {
    const TensorRow *row;
    uint32_t layer; /* 0 for those outside the layers */
    Tensor tensor;  /* padding of the vocabulary is left out */
} ModelTensor;

typedef struct ModelFile {
    const Architecture *architecture;
    ModelConfig config;
    ModelTensor
        *tensors; /* [tensor_count], in the table's order, its rows for layers layer by layer */
    size_t tensor_count;
    float *rope_factors;  /* [dims / 2] for config.json's "llama3" scaling, else NULL */
    uint32_t end_of_text; /* the first of `ends`, UINT32_MAX where there is none */
    LLMTokens ends;       /* all tokens that end a text */
    /* The checkpoint's own. */
    const char *format, *name;
    const Tokenizer *tokenizer;        /* NULL: none that could be used */
    const LLMError *tokenizer_problem; /* why it could not */
    Checkpoint *checkpoint;
} ModelFile;

/* Open whatever `path` is. NULL and `error` on failure; release with model_file_close. */
ModelFile *model_file_open(const char *path, LLMError *error);
/* The same with weights that are read into memory, not mapped. */
ModelFile *model_file_read(const char *path, LLMError *error);
void model_file_close(ModelFile *file); /* NULL is fine */

/* The type of the layers' first matrix, which most of the others share. */
TensorType model_file_type(const ModelFile *file);

#endif
