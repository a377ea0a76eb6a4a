/* checkpoint.h — model files: a GGUF file, a Hugging Face folder, or an llm.c .bin, as named
 * tensors.
 *
 * Tensors point into the mapped file; nothing is copied or converted here. Every tensor's shape and
 * extent is checked against the configuration and the file's size before it is handed out.
 */
#ifndef METAL_LLM_CHECKPOINT_H
#define METAL_LLM_CHECKPOINT_H

#include "tokenizer/tokenizer.h"

typedef enum TensorType {
    TENSOR_F32,
    TENSOR_F16,
    TENSOR_BF16,
    TENSOR_Q4_0,
    TENSOR_Q4_1,
    TENSOR_Q5_0,
    TENSOR_Q5_1,
    TENSOR_Q8_0,
    TENSOR_Q6_K,
} TensorType;

/* A matrix [rows, columns] = [out, in], or a vector with rows = 1. Vectors and the position
 * embedding are F32, F16 or BF16; the other matrices may be any type, each its own. */
typedef struct Tensor {
    TensorType type;
    uint32_t rows, columns;
    bool transposed;  /* stored as [columns, rows], as Hugging Face's Conv1D does */
    const void *data; /* inside the mapping, perhaps misaligned; NULL: absent (optional tensors) */
} Tensor;

typedef struct ModelConfig {
    uint32_t layers;
    uint32_t heads;       /* nh */
    uint32_t channels;    /* C = nh * hs */
    uint32_t inner;       /* width of the feed-forward layer, usually 4 C */
    uint32_t context;     /* positions the model was trained for */
    uint32_t vocabulary;  /* V, without padding */
    float epsilon;        /* of the layernorms */
    bool scale_attention; /* divide scores by sqrt(hs) (GPT-2: true) */
    bool scale_by_layer;  /* divide scores by layer + 1 too (GPT-2: false) */
} ModelConfig;

typedef struct LayerTensors {
    Tensor attention_norm_weight, attention_norm_bias; /* [C] */
    Tensor qkv_weight, qkv_bias;                       /* [3C, C], [3C] */
    Tensor projection_weight, projection_bias;         /* [C, C], [C] */
    Tensor mlp_norm_weight, mlp_norm_bias;             /* [C] */
    Tensor up_weight, up_bias;                         /* [inner, C], [inner] */
    Tensor down_weight, down_bias;                     /* [C, inner], [C] */
} LayerTensors;

enum { END_TOKENS = 16 }; /* more than any model names */

typedef struct Checkpoint {
    const char *format; /* "GGUF", "Hugging Face", "llm.c" */
    char *name;         /* the model's own name, else the name of its file; never NULL */
    ModelConfig config;
    Tensor token_embedding;                      /* [V, C]; padding in the file is left out */
    Tensor position_embedding;                   /* [context, C] */
    LayerTensors *layer;                         /* [layers] */
    Tensor output_norm_weight, output_norm_bias; /* [C] */
    Tensor output;                               /* [V, C]; data NULL: tied to token_embedding */
    Tokenizer *tokenizer;                        /* NULL: the file brings none */
    uint32_t end_of_text;                        /* token that ends a text, UINT32_MAX: none */
    uint32_t end_tokens[END_TOKENS];             /* all that end one, end_of_text the first */
    uint32_t end_count;
    struct FileMap *maps; /* what the tensors point into */
    size_t map_count;
} Checkpoint;

/* Open whatever `path` is. NULL and `error` on failure; release with checkpoint_close. */
Checkpoint *checkpoint_open(const char *path, LLMError *error);
void checkpoint_close(Checkpoint *checkpoint);

/* One loader per format; checkpoint_open picks by looking at the file. */
bool gguf_load(Checkpoint *checkpoint, const char *path, LLMError *error);
bool huggingface_load(Checkpoint *checkpoint, const char *folder, LLMError *error);
bool llmc_load(Checkpoint *checkpoint, const char *path, LLMError *error);

/* Name of a type ("q8_0"), how many neighbours in a row are stored together (1 for floats), and
 * bytes of a row of `columns` elements; 0 where that is no whole number of blocks. */
const char *tensor_type_name(TensorType type);
uint32_t tensor_type_block(TensorType type);
size_t tensor_row_bytes(TensorType type, uint32_t columns);
/* Number of elements, and bytes as stored. */
size_t tensor_count(const Tensor *tensor);
size_t tensor_bytes(const Tensor *tensor);

#endif
