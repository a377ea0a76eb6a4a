/* taps.h — where one may look inside a pass, and switch parts of it off.
 *
 * Only a pass of one row that runs the kernels of the learning path has them: plain steps, naive
 * attention. Blocks are counted as they are written to the stream: attention and MLP of layer 0, of
 * layer 1, …
 */
#ifndef METAL_LLM_TAPS_H
#define METAL_LLM_TAPS_H

#include "product.h"

typedef struct Run Run;

/* Layer l's attention in naive_attention: weights [nh,T,S] and mixed values [nh,T,hs], f32. */
typedef struct TappedAttention {
    DeviceBuffer *weights, *mixed;
    uint32_t T, S, nh, hs;
} TappedAttention;

typedef struct Taps {
    uint32_t layers, nh;
    uint32_t first, count; /* the pass's tokens, as positions of the text of `all` */
    uint32_t all;
    /* Switches. */
    const bool *heads_off; /* [layers, nh] */
    const bool *mlps_off;  /* [layers] */
    float *zeros;          /* [T, hs] */
    /* What is wanted, NULL where it is not. */
    uint32_t token, tokens;
    float *attention; /* [layers, nh, tokens, all] of those from `token` on */
    uint32_t head_layer, head;
    float *head_attention; /* [all, all] */
    const Norm *norm;      /* of the output */
    uint32_t from;         /* the first layer whose result is wanted, normalised */
    unsigned char *normed; /* [layers − from, rows, C] of the pass's type */
    /* The pass. */
    uint32_t block; /* that is written next */
} Taps;

static inline uint32_t tapped_layer(const Taps *taps) {
    return taps->block / 2;
}

/* Between mixing the values and merging the heads. */
void tap_attention(Run *run, const TappedAttention *attention);
/* After each block, before what it owes to the stream is settled. */
void tap_block(Run *run);

#endif
