// products.h — weights times values of x, which are integers of 8 bits: up to 256 neighbours of a row at a time
//
// A primitive: these are its plain definitions, which say what is meant. A target whose instructions multiply integers
// brings its own, see docs/kernels/targets.md, which take the weights as the integers that are stored.
#pragma once
#include "formats/all.h"

// What is known of x, rounded by quantise.metal: K = 32 · blocks values of each of T tokens.
struct Input {
    device const char *values;      // [T,K]
    device const int *offset;       // [T,K/4]   −8 · Σ value,   for weights that are stored with an offset
    device const int *block_offset; // [T,K/32]  −128 · Σ value, for weights with a least value
    device const float *scale;      // [T,K/32]
    uint blocks;
};

// What a lane has of a sum.
typedef float Parts;
static float sum_of(Parts parts) { return parts; }

// Prefetches `bytes` of memory that come a little after `row`, into the cache.
template <typename Block> static void read_ahead(device const Block *, uint) {}

// sum[…][t] += weights · x[t] for the COUNT tokens from t0 on, over blocks first … first + 7 of 32 weights, as far as
// there are so many. They go into two sets of sums in turn: an addition need not wait for the one before it.
template <uint COUNT, typename Block>
static void add_products(device const Block *row, uint first, Input x, uint t0, uint lane, uint lanes,
                         thread Parts (&sum)[2][COUNT])
{
    for (uint block = first; block < min(first + 8, x.blocks); block++)
        for (uint i = lane; i < 32; i += lanes) {
            ulong k = ulong(block) * 32 + i;
            float weight = value(row + k / Block::VALUES, uint(k % Block::VALUES));
            for (uint t = 0; t < COUNT; t++) {
                ulong at = ulong(t0 + t) * x.blocks + block;
                sum[block % 2][t] += x.scale[at] * weight * float(x.values[at * 32 + i]);
            }
        }
}
