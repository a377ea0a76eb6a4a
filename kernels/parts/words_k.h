// words_k.h — words.h for formats of 256 weights: an eighth of them is a block, each of q2_K, q3_K and q6_K has two scales
//
// Values of an eighth lie side by side, as many bits further up in their bytes as those of the eighths before them take.
#pragma once
#include "parts/words.h"

static uint word_of(device const block_q2_K *row, uint block, uint i)
{
    device const uchar *values = row[block / 8].values[block % 8 / 4];
    return (word_at(values + 4 * i) >> block % 4 * 2 & 0x03030303u) + 0x7e7e7e7eu; // − 2 + 128
}
static float row_scale(device const block_q2_K *row, uint k)
{
    return float(row[k / 16].d) * (row[k / 16].scale[k % 16 / 8][k % 8] & 15);
}
static float row_shift(device const block_q2_K *row, uint k)
{
    return 2.0f * row_scale(row, k) - float(row[k / 16].d_least) * (row[k / 16].scale[k % 16 / 8][k % 8] >> 4);
}
static bool is_shifted(device const block_q2_K *) { return true; }

static uint word_of(device const block_q3_K *row, uint block, uint i)
{
    device const block_q3_K &whole = row[block / 8];
    uint low = word_at(whole.low[block % 8 / 4] + 4 * i) >> block % 4 * 2 & 0x03030303u;
    return (low | (word_at(whole.high + 4 * i) >> block % 8 & 0x01010101u) << 2) + 0x7c7c7c7cu; // − 4 + 128
}
static float row_scale(device const block_q3_K *row, uint k)
{
    return float(row[k / 16].d) * scale_of(row + k / 16, k % 16 / 8, k % 8);
}

static uint word_of(device const block_q4_K *row, uint block, uint i)
{
    device const uchar *nibbles = row[block / 8].nibbles[block % 8 / 2];
    return (word_at(nibbles + 4 * i) >> block % 2 * 4 & 0x0f0f0f0fu) + 0x78787878u;
}
static float row_scale(device const block_q4_K *row, uint block)
{
    return float(row[block / 8].d) * scale_at(row[block / 8].scales, block % 8);
}
static float row_shift(device const block_q4_K *row, uint block)
{
    return 8.0f * row_scale(row, block) -
           float(row[block / 8].d_least) * least_at(row[block / 8].scales, block % 8);
}
static bool is_shifted(device const block_q4_K *) { return true; }

static uint word_of(device const block_q5_K *row, uint block, uint i)
{
    device const block_q5_K &whole = row[block / 8];
    uint nibbles = word_at(whole.nibbles[block % 8 / 2] + 4 * i) >> block % 2 * 4 & 0x0f0f0f0fu;
    return (nibbles | (word_at(whole.fifth + 4 * i) >> block % 8 & 0x01010101u) << 4) + 0x70707070u;
}
static float row_scale(device const block_q5_K *row, uint block)
{
    return float(row[block / 8].d) * scale_at(row[block / 8].scales, block % 8);
}
static float row_shift(device const block_q5_K *row, uint block)
{
    return 16.0f * row_scale(row, block) -
           float(row[block / 8].d_least) * least_at(row[block / 8].scales, block % 8);
}
static bool is_shifted(device const block_q5_K *) { return true; }

static uint word_of(device const block_q6_K *row, uint block, uint i)
{
    device const block_q6_K &whole = row[block / 8];
    uint part = block % 8 / 4, quarter = block % 4;
    uint low = word_at(whole.low[part] + quarter % 2 * 32 + 4 * i) >> quarter / 2 * 4 & 0x0f0f0f0fu;
    uint high = word_at(whole.high[part] + 4 * i) >> 2 * quarter & 0x03030303u;
    return (low | high << 4) + 0x60606060u; // − 32 + 128
}
static float row_scale(device const block_q6_K *row, uint k)
{
    return float(row[k / 16].d) * row[k / 16].scale[k % 16 / 8][k % 8];
}
