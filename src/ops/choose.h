/* choose.h — which kernels do a step, and why: decided here and nowhere else.
 *
 * Pure functions of facts: the device's, the options', types and shapes. So they can be asked about
 * machines that are not there (`metal-llm explain --facts`), and tests do.
 */
#ifndef METAL_LLM_CHOOSE_H
#define METAL_LLM_CHOOSE_H

#include "product.h"
#include "row_sampling.h"

/* Numbers of activations, and of the KV cache. */
typedef enum ElementType { ELEMENT_F32, ELEMENT_F16 } ElementType;
static inline size_t element_size(ElementType type) {
    return type == ELEMENT_F16 ? 2 : sizeof(float);
}

/* One kernel, how many of its items run, and one sentence why it is this one. */
typedef struct Choice {
    const char *kernel;
    DeviceGrid grid;
    const char *why;
} Choice;

static inline DeviceGrid with_threads(DeviceGrid grid, uint32_t threads) {
    grid.threads = threads;
    return grid;
}

/* --- when a model is opened --- */

typedef struct ModelFacts {
    uint32_t channels, head_size;
    bool rms;     /* normalised by RMSNorm, products in parts of one type */
    bool halves;  /* all matrices are halves */
    bool fuses;   /* and suit fused_*.metal, see matrix_fuses */
    bool batches; /* and suit fused_linear_batch.metal, see matrix_batches */
} ModelFacts;

bool matrix_is_half(const Matrix *matrix);
bool matrix_fuses(const Matrix *matrix);
bool matrix_batches(const Matrix *matrix);

/* What holds for all passes. */
typedef struct Setup {
    DeviceFacts facts;
    ElementType cache;   /* keys and values */
    uint32_t batch;      /* rows, at most */
    bool flash;          /* attention without the T×S matrix in memory */
    bool plain;          /* by flash_attention.metal, whatever the size of a head */
    bool rms;            /* normalised by RMSNorm */
    bool half_products;  /* all matrices are halves, and matrix units take them as they are */
    bool integers;       /* block formats are multiplied as integers */
    bool fused;          /* tokens are decoded with several ideas to a kernel */
    uint32_t batch_most; /* and so many rows of them on the matrix units, at most */
} Setup;

static inline bool is_gpu(const Setup *setup) {
    return setup->facts.simd_width > 1;
}

/* How block formats are expanded at load. */
typedef enum Keeping {
    KEEP_STORED, /* nothing else */
    KEEP_HALVES, /* halves */
    KEEP_BOTH,   /* halves, for the matrix units; and blocks, for decoding one row */
    KEEP_LARGE,  /* both where that is faster, else halves */
} Keeping;
Keeping choose_keeping(const DeviceFacts *facts, const LLMOptions *options);
/* Whether the blocks of a matrix are kept, in a model of C channels. */
bool choose_pieces(Keeping keeping, TensorType type, uint32_t C, uint32_t rows, uint32_t columns);
/* Which half of a block is moved after all blocks first, and how many halves are a block;
 * `size` 0: they stay as they are stored. */
typedef struct Planes {
    uint32_t size, scale;
} Planes;
Planes choose_planes(TensorType type);
Choice choose_taking_apart(uint32_t halves);
/* False and `error` if the options ask for what does not suit the model. */
bool choose_setup(Setup *setup, const DeviceFacts *facts, const ModelFacts *model,
                  const LLMOptions *options, LLMError *error);
/* Tokens of all rows that a pass takes at most: longer prompts come in pieces, so that memory does
 * not grow with the prompt. */
uint32_t choose_pass_tokens(const DeviceFacts *facts);

/* --- a pass: T tokens of each of B rows --- */

typedef enum Style {
    STYLE_PLAIN,   /* one idea to a kernel, and the matrix library */
    STYLE_FUSED,   /* norm + product, attention with its cache, product + addition */
    STYLE_BATCHED, /* the same on the matrix units */
} Style;

typedef struct Pass {
    uint32_t B, T;
    Style style;
    ElementType type; /* of the activations that products read */
    const char *why;
} Pass;

Pass choose_pass(const Setup *setup, uint32_t B, uint32_t T);

/* --- its steps --- */

Choice choose_embedding(TensorType type, uint32_t C, const Pass *pass);

/* A norm by itself, or with the addition that is owed to the stream before it. */
Choice choose_norm(const Pass *pass, const Norm *norm, uint32_t rows, bool adds, const Norm *after);

typedef enum ProductMethod {
    METHOD_LIBRARY_HALVES, /* the vendor's matrix library */
    METHOD_LIBRARY_FLOATS, /* the same, of floats: a packed matrix is unpacked first */
    METHOD_INTEGER_MATMUL, /* rows rounded to 8 bits, then integer_matmul.metal */
    METHOD_INTEGER_LINEAR, /* the same, then integer_linear.metal, LINEAR_TOKENS rows at a time */
    METHOD_LINEAR,         /* linear.metal or linear_blocks.metal, LINEAR_TOKENS rows at a time */
} ProductMethod;

/* Each weight is read once for so many rows, whose inputs stay in the first-level cache. */
enum { LINEAR_TOKENS = 8 };
typedef struct ProductChoice {
    ProductMethod method;
    bool adds_bias; /* else it is still to be added: that would cost a pass over memory here */
    const char *why;
} ProductChoice;

/* Of `rows` rows of type `in`. */
ProductChoice choose_product(const Setup *setup, ElementType in, const Matrix *weight,
                             bool stays_packed, uint32_t rows);
/* The kernel of a method that has one, for `rows` rows. */
Choice choose_product_kernel(const Setup *setup, const ProductChoice *product, const Matrix *weight,
                             uint32_t rows);
/* Floats of a packed matrix; halves of floats. */
Choice choose_unpacking(const Matrix *weight);
Choice choose_halving(size_t count);
Choice choose_rounding(size_t count);

typedef enum Activation {
    ACTIVATION_NONE,
    ACTIVATION_GELU,
    ACTIVATION_SILU_GATED, /* silu(gate) · up, of a product in two parts */
    ACTIVATION_GELU_GATED,
} Activation;
static inline bool is_gated(Activation activation) {
    return activation == ACTIVATION_SILU_GATED || activation == ACTIVATION_GELU_GATED;
}

/* norm → product → bias, and GELU, in one kernel, or the product after choose_norm's. */
typedef struct FusedRead {
    bool norm_apart;
    Choice product;
} FusedRead;
FusedRead choose_fused_read(const Setup *setup, const Pass *pass, const Matrix *weight, bool gelu);
/* The same with RMSNorm: all parts of a product in one kernel, and a gated activation. */
FusedRead choose_rms_read(const Setup *setup, const Pass *pass, const Product *product,
                          Activation activation);
/* Whether a product has all that it takes to be read as blocks: each part in pieces, and gate and
 * up of one type. */
bool product_in_pieces(const Product *product, bool gated);
/* Whether it is read so, by the next two: norm, rounding to 16 bits, and those of its parts from
 * `first` on that are of one type, up to three; product + bias + the stream. */
bool choose_blocks(const Pass *pass, const Product *product, Activation activation);
Choice choose_block_read(const Setup *setup, const Matrix *first, uint32_t rows,
                         Activation activation);
Choice choose_block_write(const Setup *setup, const Matrix *weight);
/* product + bias + the stream. */
Choice choose_fused_write(const Setup *setup, const Pass *pass, const Matrix *weight);

/* To `columns` numbers of each row. */
Choice choose_activation(const Setup *setup, const Pass *pass, Activation activation, uint32_t rows,
                         uint32_t columns, bool adds_bias);

/* Each row's last of T tokens; samplers; the state of the next step; losses. */
Choice choose_last_tokens(uint32_t words, uint32_t B);
Choice choose_bias(uint32_t V, uint32_t B, bool biases);
Choice choose_mask(uint32_t V, uint32_t B);
Choice choose_penalties(uint32_t window, uint32_t B);
Choice choose_typical(uint32_t B);
/* How a row's token comes of its logits, at random or not: SAMPLING_LIKELIEST … */
uint32_t choose_method(const Setup *setup, const RowSampling *sampling, bool random, uint32_t V);
Choice choose_group_maxima(uint32_t B);
Choice choose_sampling(uint32_t B, uint32_t method);
Choice choose_logprobs(uint32_t B);
Choice choose_step(uint32_t B);
Choice choose_losses(uint32_t rows);

/* Of a layer. */
typedef struct Attention {
    uint32_t heads, kv_heads, head_size; /* nh, nkv, hs */
    uint32_t window;                     /* tokens that one sees, itself among them; 0: all */
    float scale;                         /* of the scores */
    const Rope *rope;                    /* NULL: none */
    const Norm *q_norm, *k_norm;         /* of each head, before it is turned; NULL: none */
} Attention;

typedef enum AttentionMethod {
    ATTENTION_DECODE, /* one kernel from q, k and v to the result, writing the cache */
    ATTENTION_TURNED, /* the same, which normalises and turns q and k itself */
    ATTENTION_SPLIT,  /* the same in two: a split of the keys to a threadgroup, then `merge` */
    ATTENTION_FLASH,  /* split_heads, then one kernel */
    ATTENTION_NAIVE,  /* split_heads, gather_pages twice, scores, softmax, mix, merge_heads */
} AttentionMethod;

typedef struct AttentionChoice {
    AttentionMethod method;
    bool takes_head_size; /* a kernel for any head size */
    ElementType out;
    uint32_t splits;
    Choice split, flash; /* `flash` also of DECODE, TURNED and SPLIT */
    Choice gather, scores, softmax, mix, merge;
} AttentionChoice;
/* Whether heads of this size have kernels of their own. */
bool heads_are_sized(uint32_t head_size);
/* Of `visible` keys at most. */
AttentionChoice choose_attention(const Setup *setup, const Pass *pass, const Attention *attention,
                                 uint32_t capacity, uint32_t visible);
/* Another number where so many keys are another choice than fewer of them. */
uint32_t choose_splitting(uint32_t keys);
/* Heads times splits of B rows, at most. */
size_t choose_split_rows(const Setup *setup, uint32_t B, uint32_t heads, uint32_t kv_heads);
/* What q and k go through before, in place. */
Choice choose_head_norm(const Pass *pass, const Attention *attention);
Choice choose_rope(const Pass *pass, const Attention *attention);

#endif
