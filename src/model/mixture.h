/* mixture.h — the type that each matrix of a GGUF file gets. */
#ifndef METAL_LLM_MIXTURE_H
#define METAL_LLM_MIXTURE_H

#include "model_file.h"

typedef struct Mixture {
    TensorType matrices;   /* of the layers' matrices */
    TensorType embeddings; /* of the token embedding, and of the output where it is untied */
    bool finer; /* some get more bits, as in llama.cpp's Q4_K_M: the output, and in some layers what
                   values are made with and `down` */
} Mixture;

/* The type that a matrix of the model should have, and the one that it gets: where its rows are no
 * whole blocks of that, one of 32 values or f16, as in llama.cpp. Everything else is f32. */
TensorType mixture_wanted(const Mixture *mixture, const ModelFile *model,
                          const ModelTensor *tensor);
TensorType mixture_type(const Mixture *mixture, const ModelFile *model, const ModelTensor *tensor);

#endif
