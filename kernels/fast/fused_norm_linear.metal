// fused_norm_linear.metal — layernorm, weights × vector and, where wanted, GELU in one kernel, for decoding
//
//   out[t,n] = f(Σ_k norm(x[t])[k] · weight[n,k] + bias[n]),   f(y) = gelu(y) or y
//
// On a GPU a step of decoding is a chain of short kernels, and starting one costs as much as what it does:
// this one takes the place of layernorm.metal, linear.metal and activation.metal. Every threadgroup makes
// COUNT normalised vectors for itself, all its threads together; then its simdgroups take rows of the weights in
// turn, ROWS at a time, of which the first are on their way meanwhile. Lanes read four neighbours at a time.
// K is a multiple of 4 and at most 4 · SIMD_WIDTH · LANE_VECTORS. Only whole simdgroups take rows, so there must
// be one. The grid has as many simdgroups as the device runs at once, or N if that is less.
#include <metal_stdlib>
using namespace metal;
#include "parts/gelu.h"
#include "parts/simd_width.h"
#include "parts/sums.h"
#include "parts/wait.h"

constant constexpr uint MAX_VECTORS = 416, NARROW_VECTORS = 256; // host: of four channels
constant constexpr uint WIDE = MAX_VECTORS / SIMD_WIDTH, NARROW = NARROW_VECTORS / SIMD_WIDTH;
constant constexpr uint AHEAD = 4; // vectors that a thread has on their way at once

// The threads split the vectors, always in the same way: each reads back only what it wrote.
static void copy(device const float4 *from, threadgroup float4 *to, uint vectors, uint thread_index, uint threads)
{
    for (uint first = thread_index; first < vectors; first += AHEAD * threads) {
        float4 value[AHEAD];
        for (uint i = 0; i < AHEAD; i++) value[i] = from[min(first + i * threads, vectors - 1)];
        for (uint i = 0; i < AHEAD; i++)
            if (first + i * threads < vectors) to[first + i * threads] = value[i];
    }
}

// A lane's vectors of a weight row; those past its end keep what they have, zeros.
template <typename Vector, uint LANE_VECTORS> struct Row {
    Vector part[LANE_VECTORS];
    float bias;
};

template <typename Vector, uint LANE_VECTORS>
static void read_row(thread Row<Vector, LANE_VECTORS> &row, device const Vector *weight, device const float *bias,
                     uint n, uint N, uint vectors, uint lane)
{
    device const Vector *from = weight + ulong(min(n, N - 1)) * vectors + lane;
    for (uint i = 0; i < LANE_VECTORS; i++)
        if (lane + i * SIMD_WIDTH < vectors) row.part[i] = from[i * SIMD_WIDTH];
    row.bias = bias[min(n, N - 1)];
}

template <typename Vector, uint LANE_VECTORS, uint COUNT, uint ROWS>
kernel void norm_linear(
    device const float4 *x [[buffer(0)]],           // [T,K/4]
    device const float4 *norm_weight [[buffer(1)]], // [K/4]
    device const float4 *norm_bias [[buffer(2)]],   // [K/4]
    device const Vector *weight [[buffer(3)]],      // [N,K/4]
    device const float *bias [[buffer(4)]],         // [N]
    device float *out [[buffer(5)]],                // [T,N]
    constant uint &T [[buffer(6)]],
    constant uint &K [[buffer(7)]],
    constant uint &N [[buffer(8)]],
    constant uint &gelu [[buffer(9)]], // 1: f = gelu
    constant float &epsilon [[buffer(10)]],
    uint group [[threadgroup_position_in_grid]],
    uint groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float4 scale[MAX_VECTORS], shift[MAX_VECTORS], normal[COUNT][MAX_VECTORS];
    threadgroup float partial[3 * COUNT][32];
    uint vectors = K / 4, whole = threads / SIMD_WIDTH;
    uint first = simdgroup < whole ? group * whole + simdgroup : N, step = groups * whole;
    float share = 1.0f / float(K);
    Row<Vector, LANE_VECTORS> rows[ROWS] = {};
    // Weights never change: they are read before the kernel that makes x has ended.
    for (uint r = 0; r < ROWS; r++) read_row(rows[r], weight, bias, first + r * step, N, vectors, lane);
    copy(norm_weight, scale, vectors, thread_index, threads);
    copy(norm_bias, shift, vectors, thread_index, threads);
    wait_for_previous_kernel();

    for (uint begin = 0; begin < T; begin += COUNT) {
        // To mean 0 and standard deviation 1, as layernorm.metal does it.
        float sum[COUNT] = {}, rest[2 * COUNT] = {}; // of the differences to the mean, and of their squares
        for (uint t = 0; t < COUNT; t++)
            copy(x + ulong(min(begin + t, T - 1)) * vectors, normal[t], vectors, thread_index, threads);
        for (uint k = thread_index; k < vectors; k += threads)
            for (uint t = 0; t < COUNT; t++) sum[t] += dot(normal[t][k], float4(1.0f));
        threadgroup_sums(sum, partial, lane, simdgroup, simdgroups);
        for (uint k = thread_index; k < vectors; k += threads)
            for (uint t = 0; t < COUNT; t++) {
                float4 difference = normal[t][k] - sum[t] * share;
                rest[2 * t] += dot(difference, float4(1.0f));
                rest[2 * t + 1] += dot(difference, difference);
            }
        threadgroup_sums(rest, partial + COUNT, lane, simdgroup, simdgroups);
        for (uint k = thread_index; k < vectors; k += threads)
            for (uint t = 0; t < COUNT; t++) {
                float mean = (sum[t] + rest[2 * t]) * share, part = rsqrt(rest[2 * t + 1] * share + epsilon);
                normal[t][k] = (normal[t][k] - mean) * part * scale[k] + shift[k];
            }
        threadgroup_barrier(mem_flags::mem_threadgroup); // normal: the writes above → the reads below

        for (uint next = first; next < N; next += ROWS * step) {
            float y[ROWS][COUNT] = {}, row_bias[ROWS];
            for (uint i = 0; i < LANE_VECTORS; i++)
                for (uint t = 0; t < COUNT; t++) {
                    float4 value = normal[t][min(lane + i * SIMD_WIDTH, vectors - 1)];
                    for (uint r = 0; r < ROWS; r++) y[r][t] += dot(value, float4(rows[r].part[i]));
                }
            for (uint r = 0; r < ROWS; r++) {
                uint n = next + r * step, following = n + ROWS * step;
                row_bias[r] = rows[r].bias;
                if (following >= N && begin + COUNT < T) following = first + r * step; // for the next tokens
                if (following < N) read_row(rows[r], weight, bias, following, N, vectors, lane);
            }
            for (uint r = 0; r < ROWS; r++)
                for (uint t = 0; t < COUNT; t++) {
                    uint n = next + r * step;
                    float result = simd_sum(y[r][t]) + row_bias[r];
                    if (lane == 0 && n < N && begin + t < T)
                        out[ulong(begin + t) * N + n] = gelu ? gelu_of(result) : result;
                }
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // normal, partial: the reads above ↔ the next writes
    }
}

// For K ≤ 1,024 and ≤ 1,664; in pairs two tokens at a time.
template [[host_name("norm_linear_f32")]] kernel decltype(norm_linear<float4, NARROW, 1, 2>) norm_linear<float4, NARROW, 1, 2>;
template [[host_name("norm_linear_f16")]] kernel decltype(norm_linear<half4, NARROW, 1, 2>) norm_linear<half4, NARROW, 1, 2>;
template [[host_name("norm_linear_wide_f32")]] kernel decltype(norm_linear<float4, WIDE, 1, 1>) norm_linear<float4, WIDE, 1, 1>;
template [[host_name("norm_linear_wide_f16")]] kernel decltype(norm_linear<half4, WIDE, 1, 2>) norm_linear<half4, WIDE, 1, 2>;
template [[host_name("norm_linear_pair_f32")]] kernel decltype(norm_linear<float4, NARROW, 2, 2>) norm_linear<float4, NARROW, 2, 2>;
template [[host_name("norm_linear_pair_wide_f32")]] kernel decltype(norm_linear<float4, WIDE, 2, 1>) norm_linear<float4, WIDE, 2, 1>;
