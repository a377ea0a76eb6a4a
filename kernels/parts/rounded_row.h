// rounded_row.h — a row of activations, normalised and rounded to 16 bits by each threadgroup for itself
//
//   scale = max |x| / (127 · 256),  value = round(x / scale) = 256 · high + low    for each 32 neighbours
//
// Both are bytes with a sign, so that values are multiplied by bytes twice; rounding to one byte alone changes what a
// model says. Only whole simdgroups do it. Of 32 lanes eight share a block of 32, four values each; the only lane of a
// CPU has all.
#pragma once
#include "parts/dot4.h"
#include "parts/normal.h"
#include "parts/simd_width.h"

// A thread among the others.
struct Place {
    uint lane, simdgroup, simdgroups;
};

constant constexpr uint TEAM = SIMD_WIDTH < 8 ? 1 : 8; // lanes that share a block
constant constexpr uint EACH = 8 / TEAM;               // vectors of four that each of them has
constant constexpr uint BLOCKS = SIMD_WIDTH / TEAM;    // that a simdgroup has at a time
constant constexpr uint TURNS = 2;                     // of these, read before the first is looked at

constant constexpr uint MAX_INPUTS = 14336; // host: of a row

struct RoundedRow {
    threadgroup uint4 *high, *low; // [MAX_INPUTS/16], bytes of 16 values to a vector
    threadgroup float2 *scales;    // [MAX_INPUTS/32]: scale, scale · Σ value
};

// The four bytes of a word.
static uint packed(int4 four)
{
    return (uint(four.x) & 255) | (uint(four.y) & 255) << 8 | (uint(four.z) & 255) << 16 | uint(four.w) << 24;
}

// Block `block` of a row, of which a lane has `value`.
static void round_block(thread const float4 *value, RoundedRow to, uint block, uint blocks, uint lane)
{
    float largest = 0.0f, zero = 0.0f; // 0 · ∞ is NaN
    for (uint j = 0; j < EACH; j++) {
        float4 size = fabs(value[j]);
        largest = max(max(largest, max(size.x, size.y)), max(size.z, size.w));
        zero += sum_of(0.0f * value[j]);
    }
    for (uint i = 1; i < TEAM; i *= 2) {
        largest = max(largest, simd_shuffle_xor(largest, ushort(i)));
        zero += simd_shuffle_xor(zero, ushort(i));
    }
    bool is_usual = zero == 0.0f && largest > 1e-30f;
    float inverse = is_usual ? 127.0f * 256.0f / largest : 0.0f;
    int sum = 0;
    for (uint j = 0; j < EACH; j++) {
        int4 whole = is_usual ? int4(rint(value[j] * inverse)) : int4(0), high = (whole + 128) >> 8;
        uint at = block * 8 + lane % TEAM * EACH + j;
        if (block < blocks) ((threadgroup uint *)to.high)[at] = packed(high);
        if (block < blocks) ((threadgroup uint *)to.low)[at] = packed(whole - high * 256);
        sum += (whole.x + whole.y) + (whole.z + whole.w);
    }
    for (uint i = 1; i < TEAM; i *= 2) sum += simd_shuffle_xor(sum, ushort(i));
    float scale = largest / (127.0f * 256.0f) + zero;
    if (block < blocks && lane % TEAM == 0) to.scales[block] = float2(scale, scale * float(sum));
}

// What a lane's next blocks from `first` on are normalised with. The first of them may be read before x is there.
template <typename Norm>
static void read_lines(thread Line (&line)[TURNS][EACH], Norm norm, uint first, uint step, uint blocks, uint lane)
{
    for (uint t = 0; t < TURNS; t++)
        for (uint j = 0; j < EACH; j++)
            line[t][j] = line_of(norm, min(first + t * step + lane / TEAM, blocks - 1) * 8 + lane % TEAM * EACH + j);
}

// All blocks, by `whole` simdgroups; `line` has what the first ones need. Returned is a thread's part of Σ x².
template <typename Norm>
static float round_row(device const float4 *x, Norm norm, thread Line (&line)[TURNS][EACH], RoundedRow to, uint blocks,
                       uint whole, Place place)
{
    float squares = 0.0f;
    uint begin = place.simdgroup * BLOCKS, step = whole * BLOCKS, at = place.lane % TEAM * EACH;
    for (uint first = begin; first < blocks && place.simdgroup < whole; first += TURNS * step) {
        float4 value[TURNS][EACH];
        if (first != begin) read_lines(line, norm, first, step, blocks, place.lane);
        for (uint t = 0; t < TURNS; t++)
            for (uint j = 0; j < EACH; j++) {
                uint block = first + t * step + place.lane / TEAM;
                value[t][j] = block < blocks ? x[block * 8 + at + j] : float4(0.0f);
            }
        for (uint t = 0; t < TURNS && first + t * step < blocks; t++) {
            uint block = first + t * step + place.lane / TEAM;
            for (uint j = 0; j < EACH; j++) {
                squares += dot(value[t][j], value[t][j]);
                value[t][j] = normal(norm, line[t][j], value[t][j]);
            }
            round_block(value[t], to, block, blocks, place.lane);
        }
    }
    return squares;
}
