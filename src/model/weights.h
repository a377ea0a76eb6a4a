/* weights.h — a model's tensors as device buffers, in the layout that the kernels read. */
#ifndef METAL_LLM_WEIGHTS_H
#define METAL_LLM_WEIGHTS_H

#include "model_file.h"

typedef struct LayerWeights {
    Norm attention_norm;
    Product qkv;          /* [3C, C]; in parts: [nh hs, C], and twice [nkv hs, C] */
    Norm q_norm, k_norm;  /* [hs] of each head; without a weight where there is none */
    Product projection;   /* [C, nh hs] */
    Norm attention_after; /* of what the block adds; without a weight where there is none */
    Norm mlp_norm;
    Product up;     /* [inner, C]; gated: gate and up, each so */
    Product down;   /* [C, inner] */
    Norm mlp_after; /* as attention_after */
} LayerWeights;

/* Host memory that backs a buffer whose tensor needed another layout: pages of its own (mmap). */
typedef struct ConvertedTensor {
    void *data;
    size_t size;
} ConvertedTensor;

struct Weights {
    Matrix token_embedding;           /* [V, C] */
    DeviceBuffer *position_embedding; /* [context, C] f32; NULL where positions are turned */
    Rope rope, local_rope;            /* of global and of windowed layers */
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
};

/* Walk the table of the file's architecture and put every tensor in its place; those without data
 * are filled at random.
 * Matrices stay as the file has them, unless blocks and bf16 are wanted as halves, and blocks
 * beside them in pieces. Tensors that fit are used in place, so the file must stay open; those
 * stored transposed or misaligned are copied once, by all cores; blocks and bf16 become f16 on
 * the device. False and `error` on failure, after which weights_free is still due. */
bool weights_load(Weights *weights, const ModelFile *file, Device *device, Keeping keeping,
                  LLMError *error);
/* Free the blocks beside halves that no pass reads: those of a model whose decoding is not `fused`,
 * of a table, of a product that another part lacks, or that is normalised before it is added. */
void weights_drop_unread(Weights *weights, bool fused, bool gated);
void weights_free(Weights *weights);
/* Of layer l, scaled by the root of its heads' size, or of what the model has in its place. */
Attention weights_attention(const Weights *weights, const ModelConfig *config, uint32_t l);
/* True of block formats and bf16, which are expanded to f16 if that is asked for. */
bool type_can_halve(TensorType type);
/* True if every matrix that is multiplied by suits. */
bool weights_all(const Weights *weights, bool (*suits)(const Matrix *matrix));
/* True if the parts of each product are of one type. */
bool weights_parts_match(const Weights *weights);
/* Bytes that each step of decoding reads: all but the tables of which it takes a row. */
size_t weights_step_bytes(const Weights *weights);
/* Numbers in the matrices of all layers. */
uint64_t weights_of_layers(const Weights *weights);

#endif
