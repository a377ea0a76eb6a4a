/* architecture.h — an architecture as data: its settings and its tensors, under the names that GGUF
 * files and Hugging Face folders have for them, and where they go.
 */
#ifndef METAL_LLM_ARCHITECTURE_H
#define METAL_LLM_ARCHITECTURE_H

#include "checkpoint/checkpoint.h"
#include "ops/ops.h"

#include <string.h>

/* The largest sizes of a model: no product of two of them overflows 64 bits, nor three times
 * one 32. MOST_TOKENS, of checkpoint.h, is the vocabulary's. */
enum {
    MOST_LAYERS = 1 << 10,
    MOST_HEADS = 1 << 16,
    MOST_HEAD_SIZE = 256,
    MOST_CHANNELS = 1 << 20,
    MOST_INNER = 1 << 22,
    MOST_CONTEXT = 1 << 24,
};

typedef enum RopeScaling {
    ROPE_UNSCALED,
    ROPE_NONE,   /* "none" in so many words; `settle` makes it ROPE_UNSCALED */
    ROPE_LINEAR, /* all frequencies divided by the factor */
    ROPE_LLAMA3, /* low frequencies divided by it, high ones kept, those between in between */
    ROPE_YARN,   /* the same by another rule, and cos and sin multiplied (Peng et al. 2023) */
} RopeScaling;

/* How positions are turned; weights_load makes a Rope of it. */
typedef struct RopeConfig {
    RopeOrder order;
    uint32_t dims;    /* channels of a head that are turned; 0: the model has position embeddings */
    float base;       /* the frequencies are base^(-2i / dims) */
    float local_base; /* of windowed layers, which are never scaled; 0: as the others */
    uint32_t scaling; /* RopeScaling */
    float factor;
    uint32_t original_context;           /* positions before scaling (llama3, YaRN) */
    float low_frequency, high_frequency; /* llama3 */
    float beta_fast, beta_slow;          /* YaRN */
    float attention_factor;              /* of cos and sin, besides YaRN's own */
    float magnitude;                     /* YaRN: of cos and sin, instead of its own; 0: none */
    float mscale, mscale_all;            /* YaRN: the same as a quotient; 0: none */
    bool truncate;                       /* YaRN: its borders are whole pairs */
} RopeConfig;

/* The sizes and switches of a model. */
typedef struct ModelConfig {
    uint32_t layers;
    uint32_t heads;      /* nh */
    uint32_t kv_heads;   /* nkv; GPT-2: nh */
    uint32_t head_size;  /* hs */
    uint32_t value_size; /* of values: the same */
    uint32_t channels;   /* C; GPT-2: nh * hs */
    uint32_t inner;      /* width of the feed-forward layer, usually 4 C */
    uint32_t context;    /* positions the model was trained for */
    uint32_t vocabulary; /* V, without padding */
    float epsilon;       /* of the norms */
    RopeConfig rope;
    uint32_t window;            /* tokens that a windowed layer sees, the token itself among them */
    uint32_t window_from;       /* Qwen: the first layer that is windowed */
    bool windowed[MOST_LAYERS]; /* layer by layer */
    bool says_windowed;         /* the file says which layers are */
    bool uses_window;           /* Qwen: else no layer is windowed */
    bool attention_bias;        /* q, k, v and the projection have biases (Hugging Face) */
    bool mlp_bias;              /* gate, up and down have */
    float score_scalar;         /* scores are divided by its root; 0: by that of hs */
    float embedding_scale;      /* the embedding is multiplied by it */
    bool scale_attention;       /* divide scores by sqrt(hs) (GPT-2: true) */
    bool scale_by_layer;        /* divide scores by layer + 1 too (GPT-2: false) */
    bool tied;                  /* the output is the token embedding */
} ModelConfig;

/* --- settings --- */

typedef enum SettingKind {
    KIND_SIZE,   /* uint32_t, at least 1 */
    KIND_COUNT,  /* uint32_t, 0 too */
    KIND_NUMBER, /* float, above 0 */
    KIND_SWITCH, /* bool */
    KIND_NAME,   /* uint32_t, one of a few names */
    KIND_LAYERS, /* bool of each layer: whether it is windowed; a list, or a period */
} SettingKind;

typedef struct SettingName {
    const char *name; /* NULL ends the list */
    uint32_t value;
} SettingName;

enum { SPELLINGS = 4 };

/* A setting that is honoured. */
typedef struct SettingRow {
    const char *what;                   /* for messages: "layers" */
    const char *gguf;                   /* the key after "ARCHITECTURE."; NULL: GGUF has none and
                                           means the fallback; "": its tensors say it */
    const char *huggingface[SPELLINGS]; /* in config.json: the first one that is there counts */
    SettingKind kind;
    size_t into;              /* offset in ModelConfig */
    bool required;            /* in GGUF files; config.json always has a default */
    double fallback;          /* where absent; 0 for a size that `settle` derives */
    double most;              /* sizes and numbers are up to this */
    const SettingName *names; /* of KIND_NAME; the first of a value is GGUF's */
} SettingRow;

/* A setting that must have one of these values where it is there, since others are not supported.
 */
typedef struct FixedSetting {
    const char *gguf, *huggingface; /* one of the two is NULL */
    const char *values;             /* "gelu_new|gelu_pytorch_tanh"; "": it must be absent */
    const char *advice;             /* the end of the message */
} FixedSetting;

/* --- tensors --- */

/* What a tensor becomes on the device: a matrix, stored as any type, or floats, stored as f32, f16
 * or bf16. */
typedef enum TensorForm {
    FORM_MATRIX,       /* a Matrix */
    FORM_FLOATS,       /* a DeviceBuffer of f32 */
    FORM_NORM,         /* the weight of a Norm */
    FORM_NORM_BIAS,    /* the bias of a Norm */
    FORM_PRODUCT,      /* a part of a Product */
    FORM_PRODUCT_BIAS, /* the bias of a part of a Product */
    FORM_FACTORS,      /* what the frequencies of rope are divided by */
} TensorForm;

typedef enum TensorFlags {
    TENSOR_CONV1D = 1,          /* Hugging Face stores it transposed, [in, out] */
    TENSOR_OPTIONAL = 2,        /* may be absent */
    TENSOR_OUTPUT = 4,          /* only there, and then required, where the output is not tied */
    TENSOR_LESS_ONE = 8,        /* Hugging Face stores w - 1 */
    TENSOR_TURNED = 16,         /* q and k: their rows are in the order of rope */
    TENSOR_ATTENTION_BIAS = 32, /* only there, and then required, if attention_bias; in GGUF files
                                   optional */
    TENSOR_MLP_BIAS = 64,       /* the same if mlp_bias */
} TensorFlags;

/* "{layer}" stands for the layer's number, and makes a row one of every layer; these rows follow
 * each other. */
typedef struct TensorRow {
    const char *what;        /* for people: "attention norm" */
    const char *gguf;        /* "blk.{layer}.attn_norm.weight" */
    const char *huggingface; /* "transformer.h.{layer}.ln_1.weight" */
    const char *shape;       /* in letters, outermost first: "3C C", or "C" for a vector */
    TensorForm form;
    unsigned flags;
    size_t into;      /* offset in Weights, or in LayerWeights for a row of every layer */
    uint32_t part;    /* of the Product */
    const char *step; /* of the first part: the product's name for those who watch */
} TensorRow;

/* Rows and columns of a shape: C channels, I inner, T context, V vocabulary, S head size, Q all
 * heads of queries, K all of keys, R pairs that are turned, each perhaps times a factor of one
 * digit. A vector has one row. */
void shape_sizes(const char *shape, const ModelConfig *config, uint32_t *rows, uint32_t *columns);
static inline bool shape_is_vector(const char *shape) {
    return strchr(shape, ' ') == NULL;
}
static inline bool row_is_matrix(const TensorRow *row) {
    return row->form == FORM_MATRIX || row->form == FORM_PRODUCT;
}
static inline bool row_is_per_layer(const TensorRow *row) {
    return strstr(row->gguf, "{layer}") != NULL;
}

typedef struct Weights Weights; /* of weights.h */

typedef struct Architecture {
    const char *name;       /* in general.architecture */
    const char *model_type; /* in config.json; NULL: the same */
    const char *title;      /* for people: "GPT-2" */
    NormKind norm;
    bool gated;              /* the feed-forward layer has a gate */
    RopeOrder gguf_order;    /* of GGUF files; Hugging Face has halves everywhere */
    const char *base_prefix; /* which a model without its output head leaves out: "transformer." */
    const SettingRow *settings; /* each list ends with a row of NULLs */
    const FixedSetting *fixed;
    const char *const *ignored; /* keys of config.json that change no logits */
    const TensorRow *tensors;
    const char *const *ignored_tensors; /* Hugging Face's names of buffers that are no weights */
    /* Derive what is not given, and refuse what does not fit together. */
    bool (*settle)(ModelConfig *config, const Checkpoint *checkpoint, LLMError *error);
    /* What no GGUF file can say of such a model, or NULL. */
    const char *(*keyless)(const ModelConfig *config);
    /* The pass that has begun; NULL: the model can be read, not run. */
    void (*forward)(Run *run, const ModelConfig *config, const Weights *weights, Wanted wanted);
} Architecture;

extern const Architecture gpt2_architecture, llama_architecture, mistral_architecture,
    qwen2_architecture, qwen3_architecture, gemma3_architecture;

/* The architecture that a checkpoint says it has; NULL, and `error` with the names that there are.
 */
const Architecture *architecture_find(const Checkpoint *checkpoint, LLMError *error);
/* False and `error` for one that can be read, and not run. */
bool architecture_runs(const Architecture *architecture, const Checkpoint *checkpoint,
                       LLMError *error);

#endif
