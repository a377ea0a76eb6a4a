// columns.h — words of 32 columns of weights times values of x, in integers
//
// A primitive: these are its plain definitions, which say what is meant. A target with wider instructions brings its
// own, see docs/kernels/targets.md.
#pragma once

// What a lane has of 32 sums: one, if there are 32 lanes.
constant constexpr uint AT_ONCE = 1;
typedef int IntColumns;
typedef float FloatColumns;

// sum[i] = Σ_w Σ_b (byte b of word w − 128) · x[i][4w + b]: WORDS words of a column, which lie `below` each other, and as
// many values of COUNT rows of x, which lie `apart`. start[i] = −128 · Σ x[i], for bytes that are multiplied as they are.
template <uint WORDS, uint COUNT>
static void products(threadgroup const uint *word, uint below, device const char *x, ulong apart,
                     thread const int (&start)[COUNT], thread IntColumns (&sum)[COUNT])
{
    for (uint i = 0; i < COUNT; i++) sum[i] = start[i];
#pragma unroll
    for (uint w = 0; w < WORDS; w++)
        for (uint i = 0; i < COUNT; i++)
            for (uint b = 0; b < 4; b++) sum[i] += int(word[w * below] >> 8 * b & 255) * int(x[i * apart + 4 * w + b]);
}
static FloatColumns scaled(IntColumns sum, threadgroup const float *scale, float factor)
{
    return float(sum) * (*scale * factor);
}
// The first `count` columns, of which there is one at least.
static void store(device float *out, FloatColumns total, uint, bool add)
{
    *out = add ? *out + total : total;
}
