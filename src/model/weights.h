/* weights.h — a model's tensors as device buffers, in the layout that the kernels read. */
#ifndef METAL_LLM_WEIGHTS_H
#define METAL_LLM_WEIGHTS_H

#include "model_file.h"
#include "ops/product.h"

typedef struct LayerWeights {
    Norm attention_norm;
    Product qkv;        /* [3C, C] */
    Product projection; /* [C, C] */
    Norm mlp_norm;
    Product up;   /* [inner, C] */
    Product down; /* [C, inner] */
} LayerWeights;

/* Host memory behind a buffer whose tensor needed another layout: pages of its own (mmap). */
typedef struct ConvertedTensor {
    void *data;
    size_t size;
} ConvertedTensor;

typedef struct Weights {
    Matrix token_embedding;           /* [V, C] */
    DeviceBuffer *position_embedding; /* [context, C] f32 */
    LayerWeights *layer;              /* [layers] */
    Norm output_norm;
    Product output; /* [V, C]; tied: token_embedding's buffer */
    uint32_t layers;
    uint64_t parameters, bytes;
    size_t largest_packed;  /* elements of the largest matrix of the layers that is not f32, or 0 */
    DeviceBuffer **buffers; /* [buffer_count] all of them, each once */
    size_t buffer_count;
    ConvertedTensor *converted;
    size_t converted_count;
} Weights;

/* Walk the table of the file's architecture and put every tensor in its place.
 * Float32, float16 and block formats stay as the file has them, unless blocks are wanted as halves.
 * Tensors that fit are used in place, so the file must stay open; those stored transposed,
 * misaligned or as bf16 are converted once, by all cores; block formats become halves on the
 * device, if wanted. False and `error` on failure, after which weights_free is still due. */
bool weights_load(Weights *weights, const ModelFile *file, Device *device, bool halves,
                  LLMError *error);
void weights_free(Weights *weights);
/* True if every matrix that is multiplied by suits. */
bool weights_all(const Weights *weights, bool (*suits)(const Matrix *matrix));

#endif
