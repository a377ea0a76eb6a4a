/* textures.h — textures and samplers, as the compiled kernels see them.
 *
 * The texels of a texture lie as numpy has them, without gaps: [layer][z][y][x][channel].
 */
#ifndef METAL_LLM_MSL_SIMT_TEXTURES_H
#define METAL_LLM_MSL_SIMT_TEXTURES_H

#include "simt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a channel's bits mean. A kernel sees floats of the first three, whole numbers of the others.
 */
typedef enum SimtChannel { SIMT_UNORM, SIMT_SNORM, SIMT_FLOAT, SIMT_UINT, SIMT_SINT } SimtChannel;

struct SimtTexture {
    unsigned char *texels;
    unsigned axes; /* 1 to 3 */
    unsigned width, height, depth,
        layers;                       /* 1 where there is no such axis */
    bool is_cube;                     /* six layers each: its faces */
    unsigned channels, channel_bytes; /* 1, 2 or 4 of both */
    SimtChannel channel;
};

typedef enum SimtAddress {
    SIMT_CLAMP_TO_EDGE,
    SIMT_REPEAT,
    SIMT_MIRRORED_REPEAT,
    SIMT_CLAMP_TO_ZERO,
    SIMT_CLAMP_TO_BORDER,
} SimtAddress;

typedef enum SimtBorder {
    SIMT_TRANSPARENT_BLACK,
    SIMT_OPAQUE_BLACK,
    SIMT_OPAQUE_WHITE,
} SimtBorder;

/* As large as Metal's handle of one. All zero: what Metal starts with. */
typedef struct SimtSampler {
    unsigned char is_pixel;            /* coordinates are texels, not from 0 to 1 */
    unsigned char magnifies, minifies; /* 0: nearest, 1: linear */
    unsigned char address[3];          /* SimtAddress of s, t, r */
    unsigned char border;              /* SimtBorder */
    unsigned char compare;             /* bit 0: less, 1: equal, 2: greater; 0: never */
} SimtSampler;

/* Four floats or whole numbers. */
typedef union SimtTexel {
    float f[4];
    unsigned u[4];
    int i[4];
} SimtTexel;

struct SimtPosition {
    unsigned x, y, z, layer, level;
};

/* Where a sampler looks. */
typedef struct SimtSpot {
    float at[3];   /* 0 where the texture has no such axis; of a cube a direction */
    int offset[3]; /* in texels */
    unsigned layer;
    float level;
    float dx[3], dy[3]; /* what the position changes by from one pixel to the next; 0: unknown */
} SimtSpot;

typedef enum SimtAtomic {
    SIMT_ATOMIC_LOAD,
    SIMT_ATOMIC_STORE,
    SIMT_ATOMIC_EXCHANGE,
    SIMT_ATOMIC_COMPARE_EXCHANGE,
    SIMT_ATOMIC_ADD,
    SIMT_ATOMIC_SUB,
    SIMT_ATOMIC_AND,
    SIMT_ATOMIC_OR,
    SIMT_ATOMIC_XOR,
    SIMT_ATOMIC_MIN,
    SIMT_ATOMIC_MAX,
} SimtAtomic;

/* --- what a compiled kernel calls (through <metal_stdlib>) --- */

/* Outside of the texture zeros are read, and nothing is written. */
void simt_texture_read(const SimtTexture *texture, const SimtPosition *at, SimtTexel *texel);
void simt_texture_write(const SimtTexture *texture, const SimtPosition *at, const SimtTexel *texel);
void simt_texture_sample(const SimtTexture *texture, SimtSampler sampler, const SimtSpot *spot,
                         SimtTexel *texel);
/* One channel of the four texels that linear filtering would mix, from the lower left one on
 * against the clock. */
void simt_texture_gather(const SimtTexture *texture, SimtSampler sampler, const SimtSpot *spot,
                         unsigned channel, SimtTexel *texel);
/* The share of what would be mixed that compares with `value` as the sampler says. */
float simt_texture_compare(const SimtTexture *texture, SimtSampler sampler, const SimtSpot *spot,
                           float value);
/* `texel` becomes what was there before. Of a comparison `expected` must be there. */
bool simt_texture_atomic(const SimtTexture *texture, const SimtPosition *at, SimtAtomic operation,
                         const SimtTexel *expected, SimtTexel *texel);
/* The running thread sees from now on what it has written. */
void simt_texture_fence(const SimtTexture *texture);
/* width, height, depth and number of layers of a level; all 0 of what has no such level. */
void simt_texture_size(const SimtTexture *texture, unsigned level, unsigned size[4]);

#ifdef __cplusplus
}
#endif

#endif
