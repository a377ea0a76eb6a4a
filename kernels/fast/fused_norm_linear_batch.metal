// fused_norm_linear_batch.metal — layernorm and weights × vectors by the matrix units, for decoding up to eight rows
//
//   norm_linear_batch        out[t,n] = y[t,n]         y[t,n] = Σ_k norm(x[t])[k] · weight[n,k] + bias[n]
//   norm_linear_batch_gelu   out[t,n] = gelu(y[t,n])
//
// fused_linear_batch.metal with layernorm.metal in front: for few rows it costs less to normalise them in every
// threadgroup than to start another kernel. The simdgroups split the rows, which go to threadgroup memory as
// halves; then each multiplies its columns of them with those of ROWS weight rows. T is at most 8, K a multiple of
// PART and at most MAX_CHANNELS, N at least ROWS. Grid at most ⌈N / ROWS⌉ threadgroups, of at least one simdgroup.
#include <metal_stdlib>
using namespace metal;
#include "parts/batch_products.h"
#include "parts/gelu.h"
#include "parts/wait.h"

constant constexpr uint MAX_SIMDGROUPS = 8; // that take part
constant constexpr uint MAX_CHANNELS = 1024, MAX_TOKENS = 8; // host: of x
constant constexpr uint STRIDE = MAX_CHANNELS + PART; // rows begin in different banks
constant constexpr uint SHARE = (MAX_CHANNELS / 4 + SIMD_WIDTH - 1) / SIMD_WIDTH; // a lane's vectors of a row

// To mean 0 and standard deviation 1, then scaled and shifted, as layernorm.metal does it.
static void normalise(device const float4 *x, threadgroup const float4 *scales, threadgroup const float4 *shifts,
                      threadgroup half *out, uint vectors, float epsilon, uint lane)
{
    float4 value[SHARE];
    float sum = 0.0f, differences = 0.0f, squares = 0.0f, count = float(4 * vectors);
    for (uint i = 0; i < SHARE; i++) {
        uint k = lane + i * SIMD_WIDTH;
        value[i] = k < vectors ? x[k] : float4(0.0f);
        sum += dot(value[i], float4(1.0f));
    }
    float mean = simd_sum(sum) / count;
    for (uint i = 0; i < SHARE; i++) {
        float4 difference = lane + i * SIMD_WIDTH < vectors ? value[i] - mean : float4(0.0f);
        differences += dot(difference, float4(1.0f));
        squares += dot(difference, difference);
    }
    float factor = 1.0f / sqrt(simd_sum(squares) / count + epsilon);
    mean += simd_sum(differences) / count;
    for (uint i = 0; i < SHARE; i++) {
        uint k = lane + i * SIMD_WIDTH;
        float4 normal = (value[i] - mean) * factor * scales[k] + shifts[k];
        for (uint j = 0; j < 4; j++) out[4 * k + j] = half(normal[j]);
    }
}

// Parts begin, begin + step … of a block and of the tokens; `ahead` has the first ones of the block.
static void multiply(Block block, threadgroup const half (*normal)[STRIDE], uint begin, uint step, uint K,
                     thread simdgroup_half8x8 (&ahead)[AHEAD][2][4], thread simdgroup_float8x8 (&sum)[2])
{
    for (uint r = 0; r < 2; r++) sum[r] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    for (uint first = begin; first < K / PART; first += AHEAD * step) {
#pragma unroll(UNROLL)
        for (uint i = 0; i < AHEAD; i++)
            if (first + i * step < K / PART) {
                simdgroup_half8x8 tokens[4];
                load_part(tokens, &normal[0][(first + i * step) * PART], STRIDE, true);
                multiply_part(sum, ahead[i], tokens);
            }
        read_ahead(block, first + AHEAD * step, step, K, ahead);
    }
}

template <typename Out, bool GELU>
kernel void norm_linear_batch(
    device const float4 *x [[buffer(0)]],           // [T,K/4]
    device const float4 *norm_weight [[buffer(1)]], // [K/4]
    device const float4 *norm_bias [[buffer(2)]],   // [K/4]
    device const half *weight [[buffer(3)]],        // [N,K]
    device const float *bias [[buffer(4)]],         // [N]
    device Out *out [[buffer(5)]],                  // [T,N]
    constant uint &T [[buffer(6)]],
    constant uint &K [[buffer(7)]],
    constant uint &N [[buffer(8)]],
    constant float &epsilon [[buffer(9)]],
    uint group [[threadgroup_position_in_grid]],
    uint groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]])
{
    threadgroup half normal[MAX_TOKENS][STRIDE];
    threadgroup float4 scales[MAX_CHANNELS / 4], shifts[MAX_CHANNELS / 4]; // of layernorm
    threadgroup float sums[MAX_SIMDGROUPS][2][64];
    threadgroup float shift[ROWS]; // the bias
    uint simdgroups = min(threads / SIMD_WIDTH, MAX_SIMDGROUPS);
    bool takes_part = simdgroup < simdgroups;
    simdgroup_half8x8 ahead[AHEAD][2][4];
    // Weights never change: the first of them are read before the kernel that makes x has ended.
    if (takes_part) read_ahead(block_of(weight, begin_of(group, N), K), simdgroup, simdgroups, K, ahead);
    for (uint k = thread_index; k < MAX_CHANNELS / 4; k += threads) {
        scales[k] = norm_weight[min(k, K / 4 - 1)];
        shifts[k] = norm_bias[min(k, K / 4 - 1)];
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // scales, shifts: the writes above → the reads below
    for (uint block = group; block * ROWS < N; block += groups) {
        uint first_row = begin_of(block, N), next = block + groups;
        for (uint i = thread_index; i < ROWS; i += threads) shift[i] = bias[first_row + i];
        if (block == group) {
            wait_for_previous_kernel();
            for (uint t = simdgroup; takes_part && t < MAX_TOKENS; t += simdgroups) // after the last row the last one again
                normalise(x + ulong(min(t, T - 1)) * (K / 4), scales, shifts, normal[t], K / 4, epsilon, lane);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // normal, shift: the writes above → the reads below
        if (takes_part) {
            simdgroup_float8x8 sum[2];
            multiply(block_of(weight, first_row, K), normal, simdgroup, simdgroups, K, ahead, sum);
            if (next * ROWS < N) read_ahead(block_of(weight, begin_of(next, N), K), simdgroup, simdgroups, K, ahead);
            for (uint r = 0; r < 2; r++) simdgroup_store(sum[r], sums[simdgroup][r], 8);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the writes above → the reads below
        for (uint i = thread_index; i < ROWS * 8; i += threads) {
            uint n = first_row + i / 8, t = i % 8;
            if (t >= T || n < block * ROWS) continue; // the block before has these rows
            float y = shift[i / 8];
            for (uint s = 0; s < simdgroups; s++) y += sums[s][i / 64][i % 64];
            out[ulong(t) * N + n] = Out(GELU ? gelu_of(y) : y);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // sums, shift: the reads above ↔ the next writes
    }
}

template [[host_name("norm_linear_batch")]] kernel decltype(norm_linear_batch<float, false>) norm_linear_batch<float, false>;
template [[host_name("norm_linear_batch_gelu")]] kernel decltype(norm_linear_batch<half, true>) norm_linear_batch<half, true>;
