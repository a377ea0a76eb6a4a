/* gguf_write.h — write a model as a GGUF file, version 3, that llama.cpp opens too. */
#ifndef METAL_LLM_GGUF_WRITE_H
#define METAL_LLM_GGUF_WRITE_H

#include "mixture.h"
#include "tokenizer/to_gguf.h"

/* Write rows `first` to first + rows − 1 of `source`, which the file calls `name`, to `out`, row by
 * row as `type` stores them. False and `error` on failure, which ends the writing. */
typedef bool (*GGUFFill)(void *user, const char *name, const Tensor *source, TensorType type,
                         uint32_t first, uint32_t rows, void *out, LLMError *error);

typedef struct GGUFOptions {
    Mixture types;
    const GGUFTokenizer *tokenizer; /* NULL: the file brings none */
    GGUFFill fill;
    void *user; /* handed to fill */
} GGUFOptions;

/* Write `model` to `path`, under the keys and names of its architecture's table, whole or not at
 * all (see output_file.h). Norms, biases and the position embedding become f32. Refuses a setting
 * that GGUF has no key for: attention that is scaled in another way than GPT-2's. */
bool gguf_write(const char *path, const ModelFile *model, const GGUFOptions *options,
                LLMError *error);

#endif
