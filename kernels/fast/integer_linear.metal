// integer_linear.metal — block formats × vector in integers, for decoding: 1 to 8 tokens at a time
//
//   x[t,k]   = scale · value + rounding,  value of 8 bits, 32 neighbours of a row share one scale
//   out[t,n] = Σ_blocks scale_x · scale_w · Σ_i value_x[i] · value_w[i] + bias[n]
//
// The same as linear_blocks.metal, but x is rounded first, to 8 bits: a CPU multiplies four
// times as many small integers at once as floats. Weights stored with an offset stay as they are, since
//   Σ (weight − 8) · x = Σ weight · x + offset,  offset = −8 · Σ x,
// and those with a least value likewise.
// One simdgroup per weight row n; its lanes split each block.
#include <metal_stdlib>
using namespace metal;
#include "parts/products.h"

constant constexpr uint BLOCK = 32; // values of x that share a scale
constant constexpr uint STEP = 8;   // blocks in a row, as many as the largest formats have in one

// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.
template <uint COUNT, typename Block>
static void row_times_tokens(device const Block *row, Input x, uint t0, float bias, device float *out, uint stride,
                             uint lane, uint lanes)
{
    Parts sum[2][COUNT];
    for (uint t = 0; t < COUNT; t++) sum[0][t] = sum[1][t] = 0.0f;
    for (uint first = 0; first < x.blocks; first += STEP) {
        constexpr uint STORED = STEP * BLOCK / Block::VALUES; // blocks of the format
        read_ahead(row + first / STEP * STORED, STORED * sizeof(Block));
        add_products(row, first, x, t0, lane, lanes, sum);
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
    device const int *x_block_offset [[buffer(2)]], // [T,K/32]
    device const float *x_scale [[buffer(3)]], // [T,K/32]
    device const Block *weight [[buffer(4)]],  // [N,K/VALUES]
    device const float *bias [[buffer(5)]],    // [N]
    device float *out [[buffer(6)]],           // [T,stride]: N columns of it
    constant uint &T [[buffer(7)]],
    constant uint &K [[buffer(8)]], // a multiple of VALUES
    constant uint &N [[buffer(9)]],
    constant uint &stride [[buffer(10)]],
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
    Input input = {x, x_offset, x_block_offset, x_scale, K / BLOCK};
    for (; t + 4 <= T; t += 4) row_times_tokens<4>(row, input, t, bias[n], out + n, stride, lane, lanes);
    for (; t + 2 <= T; t += 2) row_times_tokens<2>(row, input, t, bias[n], out + n, stride, lane, lanes);
    for (; t < T; t++) row_times_tokens<1>(row, input, t, bias[n], out + n, stride, lane, lanes);
}

template [[host_name("integer_linear_iq4_nl")]] kernel decltype(integer_linear<block_iq4_nl>) integer_linear<block_iq4_nl>;
template [[host_name("integer_linear_q2_K")]] kernel decltype(integer_linear<block_q2_K>) integer_linear<block_q2_K>;
template [[host_name("integer_linear_q3_K")]] kernel decltype(integer_linear<block_q3_K>) integer_linear<block_q3_K>;
template [[host_name("integer_linear_q4_0")]] kernel decltype(integer_linear<block_q4_0>) integer_linear<block_q4_0>;
template [[host_name("integer_linear_q4_1")]] kernel decltype(integer_linear<block_q4_1>) integer_linear<block_q4_1>;
template [[host_name("integer_linear_q4_K")]] kernel decltype(integer_linear<block_q4_K>) integer_linear<block_q4_K>;
template [[host_name("integer_linear_q5_0")]] kernel decltype(integer_linear<block_q5_0>) integer_linear<block_q5_0>;
template [[host_name("integer_linear_q5_1")]] kernel decltype(integer_linear<block_q5_1>) integer_linear<block_q5_1>;
template [[host_name("integer_linear_q5_K")]] kernel decltype(integer_linear<block_q5_K>) integer_linear<block_q5_K>;
template [[host_name("integer_linear_q6_K")]] kernel decltype(integer_linear<block_q6_K>) integer_linear<block_q6_K>;
template [[host_name("integer_linear_q8_0")]] kernel decltype(integer_linear<block_q8_0>) integer_linear<block_q8_0>;
