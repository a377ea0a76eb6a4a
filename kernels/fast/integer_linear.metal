// integer_linear.metal — block formats × vector in integers, for decoding: 1 to 8 tokens at a time
//
//   x[t,k]   = scale · value + rounding,  value of 8 bits, 32 neighbours of a row share one scale
//   out[t,n] = Σ_blocks scale_x · scale_w · Σ_i value_x[i] · value_w[i] + bias[n]
//
// The same as linear_blocks.metal, but x is rounded first, to 8 bits: a CPU multiplies four
// times as many small integers at once as floats. Weights stored with an offset stay as they are, since
//   Σ (weight − 8) · x = Σ weight · x + offset,  offset = −8 · Σ x.
// One simdgroup per weight row n; its lanes share out each block.
#include <metal_stdlib>
using namespace metal;
#include "formats/q4_0.h"
#include "formats/q4_1.h"
#include "formats/q5_0.h"
#include "formats/q6_K.h"
#include "formats/q8_0.h"
#include "parts/products.h"

constant constexpr uint BLOCK = 32; // values of x that share a scale
constant constexpr uint FOURS = BLOCK / 4; // offsets of them
constant constexpr uint STEP = 8;   // blocks in a row, as many as q6_K has in one

// A row's 32 weights number `block`, times 32 values of x.
static Parts products(device const block_q8_0 *row, uint block, device const char *x, device const int *, uint lane,
                      uint lanes)
{
    return scale_before(&row[block].scale) * products_8(row[block].values, x, lane, lanes);
}
static Parts products(device const block_q4_0 *row, uint block, device const char *x, device const int *offset,
                      uint lane, uint lanes)
{
    return scale_before(&row[block].scale) * products_4(row[block].nibbles, x, offset, lane, lanes);
}
// Least and scale · 8 are both a share of Σ x.
static Parts products(device const block_q4_1 *row, uint block, device const char *x, device const int *offset,
                      uint lane, uint lanes)
{
    Parts scale = scale_before(&row[block].scale), least = scale_before(&row[block].least);
    return scale * products_4(row[block].nibbles, x, offset, lane, lanes) -
           (least * 0.125f + scale) * sum_of(offset, lane, lanes);
}
static Parts products(device const block_q5_0 *row, uint block, device const char *x, device const int *offset,
                      uint lane, uint lanes)
{
    return scale_before(&row[block].scale) *
           products_5(row[block].nibbles, row[block].fifth, x, offset, lane, lanes);
}
static Parts products(device const block_q6_K *row, uint block, device const char *x, device const int *offset,
                      uint lane, uint lanes)
{
    uint half_index = block / 4 % 2;
    device const block_q6_K *whole = row + block / 8;
    return products_6(whole->low[half_index], whole->high[half_index], whole->scale[half_index], whole->d, block % 4, x,
                      offset, lane, lanes);
}

// What the kernels know of x.
struct Input {
    device const char *values;  // [T,K]
    device const int *offset;   // [T,K/4]
    device const float *scale;  // [T,K/32]
};

// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.
// Blocks go into two sets of sums in turn: an addition need not wait for the one before it.
template <uint COUNT, typename Block>
static void row_times_tokens(device const Block *row, Input x, uint t0, float bias, device float *out, uint K,
                             uint stride, uint lane, uint lanes)
{
    uint blocks = K / BLOCK;
    Parts sum[2][COUNT];
    for (uint t = 0; t < COUNT; t++) sum[0][t] = sum[1][t] = 0.0f;
    for (uint first = 0; first < blocks; first += STEP) {
        constexpr uint STORED = STEP * BLOCK / Block::VALUES; // blocks of the format
        read_ahead(row + first / STEP * STORED, STORED * sizeof(Block));
#pragma unroll
        for (uint i = 0; i < STEP; i++) {
            uint block = first + i;
            if (block >= blocks) break;
            for (uint t = 0; t < COUNT; t++) {
                ulong at = ulong(t0 + t) * blocks + block;
                sum[i % 2][t] += x.scale[at] *
                                 products(row, block, x.values + at * BLOCK, x.offset + at * FOURS, lane, lanes);
            }
        }
    }
    for (uint t = 0; t < COUNT; t++) {
        float total = simd_sum(sum_of(sum[0][t] + sum[1][t]));
        if (lane == 0) out[ulong(t0 + t) * stride] = total + bias;
    }
}

template <typename Block>
kernel void integer_linear(
    device const char *x [[buffer(0)]],        // [T,K]
    device const int *x_offset [[buffer(1)]],  // [T,K/4]
    device const float *x_scale [[buffer(2)]], // [T,K/32]
    device const Block *weight [[buffer(3)]],  // [N,K/VALUES]
    device const float *bias [[buffer(4)]],    // [N]
    device float *out [[buffer(5)]],           // [T,stride]: N columns of it
    constant uint &T [[buffer(6)]],
    constant uint &K [[buffer(7)]], // a multiple of VALUES
    constant uint &N [[buffer(8)]],
    constant uint &stride [[buffer(9)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint n = group * simdgroups + simdgroup, t = 0;
    if (n >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    device const Block *row = weight + ulong(n) * (K / Block::VALUES);
    Input input = {x, x_offset, x_scale};
    for (; t + 4 <= T; t += 4) row_times_tokens<4>(row, input, t, bias[n], out + n, K, stride, lane, lanes);
    for (; t + 2 <= T; t += 2) row_times_tokens<2>(row, input, t, bias[n], out + n, K, stride, lane, lanes);
    for (; t < T; t++) row_times_tokens<1>(row, input, t, bias[n], out + n, K, stride, lane, lanes);
}

template [[host_name("integer_linear_q4_0")]] kernel decltype(integer_linear<block_q4_0>) integer_linear<block_q4_0>;
template [[host_name("integer_linear_q4_1")]] kernel decltype(integer_linear<block_q4_1>) integer_linear<block_q4_1>;
template [[host_name("integer_linear_q5_0")]] kernel decltype(integer_linear<block_q5_0>) integer_linear<block_q5_0>;
template [[host_name("integer_linear_q6_K")]] kernel decltype(integer_linear<block_q6_K>) integer_linear<block_q6_K>;
template [[host_name("integer_linear_q8_0")]] kernel decltype(integer_linear<block_q8_0>) integer_linear<block_q8_0>;
