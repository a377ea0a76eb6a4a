/* buffers.h — the device memory of a model's passes, apart from its weights. */
#ifndef METAL_LLM_BUFFERS_H
#define METAL_LLM_BUFFERS_H

#include "choose.h"

/* So many rows of logits are made at a time when all of them are wanted. */
enum { LOGITS_PER_PASS = 64 };

/* What decides how large the buffers are. */
typedef struct Sizes {
    uint32_t batch;    /* B, at most */
    uint32_t tokens;   /* T: of each row and pass, at most */
    uint32_t capacity; /* tokens that the KV cache holds per row */
    uint32_t layers, channels, heads, kv_heads, head_size, inner, vocabulary;
    uint32_t up;     /* columns that the activation reads: inner, or 2 inner where it is gated */
    size_t unpacked; /* floats of the largest matrix that is unpacked, or 0 */
} Sizes;

typedef struct Buffers {
    /* What changes from step to step, see kernels/step.metal. */
    DeviceBuffer *prompt;  /* [B,T] ids of a pass over a prompt */
    DeviceBuffer *ids;     /* [B] sampled ids, which are also the next step's input */
    DeviceBuffer *lengths; /* [B] tokens in the KV cache */
    DeviceBuffer *counts;  /* [B] new tokens of this pass */
    DeviceBuffer *history; /* [B, capacity + 1] every sampled id at its position */

    /* Activations of one pass: floats, or halves in the same place. */
    DeviceBuffer *x[2];                /* [B,T,C] the residual stream, in turn */
    DeviceBuffer *norm;                /* [B,T,C] */
    DeviceBuffer *qkv;                 /* [B,T,(nh + 2 nkv)·hs] */
    DeviceBuffer *q;                   /* [B,nh,T,hs] */
    DeviceBuffer *keys, *values;       /* [B,nkv,capacity,hs] of a layer, naive attention only */
    DeviceBuffer *att;                 /* [B,nh,T,capacity], naive attention only */
    DeviceBuffer *mixed;               /* [B,T,nh·hs]; of naive attention [B,nh,T,hs] */
    DeviceBuffer *merged;              /* [B,T,nh·hs], naive attention only */
    DeviceBuffer *split_sums;          /* [B,nh,splits,hs] of attention in splits */
    DeviceBuffer *split_softmax;       /* [B,nh,splits,2] */
    DeviceBuffer *halves;              /* [B,T,nh·hs] halves of what was made as floats */
    DeviceBuffer *block_out;           /* [B,T,C] */
    DeviceBuffer *up;                  /* [B,T,inner] before the activation */
    DeviceBuffer *activated;           /* [B,T,inner] */
    DeviceBuffer *last_x, *last_mixed; /* [B,C] and [B,nh·hs] of each row's last token */
    DeviceBuffer *logits;              /* [max(B, LOGITS_PER_PASS), V] */
    DeviceBuffer *changed;             /* [B,V] logits after bias, penalties and typical */
    DeviceBuffer *sampling;            /* [B] see row_sampling.h */
    DeviceBuffer *logit_bias;          /* [B,V] */
    DeviceBuffer *allowed;             /* [B, ⌈V / 32⌉] bits of the tokens that may come next */
    DeviceBuffer *p;                   /* [B,V] the samplers' scratch */
    DeviceBuffer *group_largest;       /* [B, VOCABULARY_GROUPS] */
    DeviceBuffer *group_sums;          /* the same */
    DeviceBuffer *drawn;               /* [B, SAMPLING_SLOTS] the last ids, by their positions */
    DeviceBuffer *logprob_tokens;      /* [B, SAMPLING_SLOTS, SAMPLING_TOLD_MOST] */
    DeviceBuffer *logprobs;            /* the same of floats */
    DeviceBuffer *targets, *nats;      /* [LOGITS_PER_PASS] */
    DeviceBuffer *zeros;               /* a bias that adds nothing */

    /* Rows rounded to 8 bits, see kernels/fast/quantise.metal. */
    DeviceBuffer *rounded;               /* [rows, in] int8 */
    DeviceBuffer *rounded_offsets;       /* [rows, in / 4] int32 */
    DeviceBuffer *rounded_scales;        /* [rows, in / QUANTISE_BLOCK] */
    DeviceBuffer *rounded_block_offsets; /* [rows, in / QUANTISE_BLOCK] int32 */
    DeviceBuffer *unpacked; /* [out, in] f32, one matrix at a time, for the matrix library */
} Buffers;

/* False and `error` on failure, after which buffers_free is still due. */
bool buffers_allocate(Buffers *buffers, Device *device, const Setup *setup, const Sizes *sizes,
                      LLMError *error);
void buffers_free(Buffers *buffers, const Sizes *sizes);

#endif
