/* llm_pipeline.h — a model on a device, and the passes that run through it. */
#ifndef METAL_LLM_PIPELINE_H
#define METAL_LLM_PIPELINE_H

#include "kernel_constants.h"
#include "weights.h"

#include <stdatomic.h>
#include <sys/types.h>

/* A pass takes at most this many tokens, all rows together: longer prompts come in pieces, so that
 * memory does not grow with the prompt. */
enum { TOKENS_PER_PASS = 512, TOKENS_PER_PASS_GPU = 1024 };
/* So many rows of logits are made at a time when all of them are wanted. */
enum { LOGITS_PER_PASS = 64 };

/* Type of the keys and values that are kept. */
typedef enum CacheType { CACHE_F32, CACHE_F16 } CacheType;
static inline size_t cache_type_size(CacheType type) {
    return type == CACHE_F16 ? 2 : sizeof(float);
}
/* The linear kernels take so many tokens at a time: each weight is read once for all of them, and
 * their inputs stay in the first-level cache. */
enum { LINEAR_TOKENS = 8 };

struct LLMPipeline {
    LLMInfo info;
    pid_t owner;         /* the process that opened it */
    atomic_bool busy;    /* between pipeline_enter and pipeline_leave */
    atomic_bool closing; /* it is closed as soon as it is not busy */
    ModelFile *checkpoint;
    Device *device;
    Weights weights;
    bool flash, profile;
    bool fused;         /* decoding by the kernels of fused_*.metal */
    bool batched;       /* of several rows by fused_linear_batch.metal */
    bool integers;      /* block formats by integer_linear.metal and integer_matmul.metal */
    bool is_gpu;        /* simdgroups have more than one lane */
    bool half_products; /* all matrices are halves, and the matrix library takes them as they are */
    bool halved;        /* block formats were turned into halves */
    bool halves;        /* `norm` and `gelu` hold halves for it, in this part of the pass */
    CacheType cache;
    uint32_t B;        /* rows of the batch, at most */
    uint32_t capacity; /* tokens that the KV cache holds per row */
    uint32_t T_max;    /* tokens per row and pass, at most */
    uint32_t visible;  /* tokens of the longest row with those of this pass, for the timings */

    /* What changes from step to step, see kernels/step.metal. */
    DeviceBuffer *prompt;  /* [B,T] ids of a pass over a prompt */
    DeviceBuffer *ids;     /* [B] sampled ids, which are also the next step's input */
    DeviceBuffer *lengths; /* [B] tokens in the KV cache */
    DeviceBuffer *counts;  /* [B] new tokens of this pass */
    DeviceBuffer *history; /* [B, capacity + 1] every sampled id at its position */

    DeviceBuffer **keys, **values; /* per layer [B,nh,capacity,hs] of type `cache` */

    /* Activations of one pass. */
    DeviceBuffer *x, *res;       /* [B,T,C] the residual stream, before and after a block */
    DeviceBuffer *norm;          /* [B,T,C] */
    DeviceBuffer *qkv;           /* [B,T,3C] */
    DeviceBuffer *q;             /* [B,nh,T,hs] */
    DeviceBuffer *att;           /* [B,nh,T,capacity], naive attention only */
    DeviceBuffer *mixed;         /* [B,T,C]; of naive attention [B,nh,T,hs] */
    DeviceBuffer *merged;        /* [B,T,C], naive attention only */
    DeviceBuffer *half_attended; /* [B,T,C] halves, for products of halves only */
    DeviceBuffer *block_out;     /* [B,T,C] */
    DeviceBuffer *up;            /* [B,T,inner] before GELU */
    DeviceBuffer *gelu;          /* [B,T,inner] */
    DeviceBuffer *last_attended, *last_x; /* [B,C] of each row's last token */
    DeviceBuffer *logits;                 /* [max(B, LOGITS_PER_PASS), V] */
    DeviceBuffer *p;                      /* [B,V] the sampler's scratch */
    DeviceBuffer *targets;                /* [LOGITS_PER_PASS] */
    DeviceBuffer *nats;                   /* [LOGITS_PER_PASS] */
    DeviceBuffer *zeros;                  /* [V] the bias of the logits */
    DeviceBuffer *rounded;         /* [B,T,in] int8, what quantise.metal makes of activations */
    DeviceBuffer *rounded_offsets; /* [B,T, in / 4] int32 */
    DeviceBuffer *rounded_scales;  /* [B,T, in / QUANTISE_BLOCK] */
    DeviceBuffer *rounded_block_offsets; /* [B,T, in / QUANTISE_BLOCK] int32 */
    DeviceBuffer *dequantised; /* [out, in] f32, one matrix at a time, for the matrix library */
};

/* llm_pipeline_open, on a device or, if `dry`, on none. */
LLMPipeline *pipeline_open(const char *path, const LLMOptions *options, const DryRun *dry,
                           LLMError *error);

/* Begin and end a call that computes: one at a time, by the process that opened the pipeline. False
 * if `error` is or becomes set; else pipeline_leave is called at the end, after which the pipeline
 * may be gone. */
bool pipeline_enter(LLMPipeline *llm, LLMError *error);
void pipeline_leave(LLMPipeline *llm);
/* An error if `tokens` is NULL or has an id that is not in the vocabulary. */
bool pipeline_check_ids(const LLMPipeline *llm, const LLMTokens *tokens, LLMError *error);
/* Why the logits may be NaN, as the end of a message: an option that halves numbers, or damaged
 * weights. */
const char *pipeline_nan_reason(const LLMPipeline *llm);

/* What a pass is run for. */
typedef enum Wanted {
    WANTED_CACHE,       /* only the KV cache: more of the prompt is to come */
    WANTED_LAST_TOKENS, /* `norm` [B,C] of each row's last new token */
    WANTED_ALL_TOKENS,  /* `norm` [B,T,C] */
} Wanted;

/* One pass over T tokens of B rows, ids [B,T]: from ids to `norm`, the normalised last layer. */
void pipeline_forward(LLMPipeline *llm, DeviceBuffer *ids, uint32_t B, uint32_t T, Wanted wanted);
/* From rows first … first + count − 1 of `norm` to logits [count,V]. */
void pipeline_logits(LLMPipeline *llm, uint32_t first, uint32_t count);
/* One token of each row, from `ids` to logits [B,V]. */
void pipeline_decode(LLMPipeline *llm, uint32_t B);
/* True if the fused kernels suit the model: heads of 64 channels, float weights, wide rows. */
bool pipeline_can_fuse(const LLMPipeline *llm);
/* True if the matrix units can decode batches: all weights are halves, of suitable shapes. */
bool pipeline_can_batch(const LLMPipeline *llm);
/* From logits to ids, and to the state of the next step. */
void pipeline_sample(LLMPipeline *llm, const LLMGeneration *generation, uint32_t B);

#endif
