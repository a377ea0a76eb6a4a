// fused_linear_residual.metal — weights × vector, added to the residual stream, for decoding
//
//   stream[t,n] += Σ_k x[t,k] · weight[n,k] + bias[n]
//
// linear.metal and the addition of residual.metal in one kernel, whose layernorm is the beginning of the
// kernel that comes next (fused_norm_linear.metal). A threadgroup takes ROWS weight rows; its threads split
// the columns, in vectors of four or of eight halves (vectors.h), of which K is a multiple. Grid ⌈N / ROWS⌉ threadgroups.
#include <metal_stdlib>
using namespace metal;
#include "parts/vectors.h"
#include "parts/wait.h"

constant constexpr uint ROWS = 2; // host: of the weight, per threadgroup
constant constexpr uint FOURS_AHEAD = 7, EIGHTS_AHEAD = 4; // host: vectors of each row that a thread has on their way at once

// A thread's next vectors of each row; past the end the last one, which x has zeros for.
template <typename Vector, uint AHEAD>
static void read_part(thread Vector (&part)[ROWS][AHEAD], device const Vector *weight, uint n, uint N, uint vectors,
                      uint first, uint threads)
{
    for (uint r = 0; r < ROWS; r++)
        for (uint i = 0; i < AHEAD; i++)
            part[r][i] = weight[ulong(min(n + r, N - 1)) * vectors + min(first + i * threads, vectors - 1)];
}

// Their products with COUNT tokens.
template <uint FOURS, typename Vector, uint AHEAD, uint COUNT>
static void multiply_part(thread const Vector (&part)[ROWS][AHEAD], device const float4 *x, uint vectors, uint first,
                          uint threads, uint count, thread float (&sum)[ROWS][COUNT])
{
    for (uint t = 0; t < COUNT; t++) {
        device const float4 *row = x + ulong(min(t, count - 1)) * vectors * FOURS;
        float4 value[AHEAD][FOURS];
        for (uint i = 0; i < AHEAD; i++)
            for (uint j = 0; j < FOURS; j++) value[i][j] = row[min(first + i * threads, vectors - 1) * FOURS + j];
        for (uint i = 0; i < AHEAD; i++)
            for (uint j = 0; j < FOURS; j++) {
                if (first + i * threads >= vectors) value[i][j] = float4(0.0f);
                for (uint r = 0; r < ROWS; r++) sum[r][t] += dot(value[i][j], four_of(part[r][i], j));
            }
    }
}

template <typename Vector, uint FOURS, uint AHEAD, uint COUNT>
kernel void linear_residual(
    device const float4 *x [[buffer(0)]],      // [T,K/4]
    device const Vector *weight [[buffer(1)]], // [N,vectors]
    device const float *bias [[buffer(2)]],    // [N]
    device float *stream [[buffer(3)]],        // [T,N]
    constant uint &T [[buffer(4)]],
    constant uint &K [[buffer(5)]],
    constant uint &N [[buffer(6)]],
    uint group [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float partial[ROWS][COUNT][32];
    uint n = group * ROWS, vectors = K / (4 * FOURS);
    Vector part[ROWS][AHEAD];
    // Weights never change: they are read before the kernel that makes x has ended.
    read_part(part, weight, n, N, vectors, thread_index, threads);
    float row_bias[ROWS];
    for (uint r = 0; r < ROWS; r++) row_bias[r] = bias[min(n + r, N - 1)];
    wait_for_previous_kernel();
    for (uint begin = 0; begin < T; begin += COUNT) {
        uint count = min(COUNT, T - begin);
        float sum[ROWS][COUNT], before[ROWS][COUNT]; // read early: it takes as long as a part of the weights
        for (uint r = 0; r < ROWS; r++)
            for (uint t = 0; t < COUNT; t++) {
                sum[r][t] = 0.0f;
                if (thread_index == 0) before[r][t] = stream[ulong(begin + min(t, count - 1)) * N + min(n + r, N - 1)];
            }
        for (uint first = thread_index; first < vectors; first += AHEAD * threads) {
            if (first != thread_index) read_part(part, weight, n, N, vectors, first, threads);
            multiply_part<FOURS>(part, x + ulong(begin) * (K / 4), vectors, first, threads, count, sum);
        }
        for (uint r = 0; r < ROWS; r++)
            for (uint t = 0; t < COUNT; t++) {
                float total = simd_sum(sum[r][t]);
                if (lane == 0) partial[r][t][simdgroup] = total;
            }
        threadgroup_barrier(mem_flags::mem_threadgroup); // partial: the writes above → the reads below
        for (uint r = 0; r < ROWS && thread_index == 0; r++)
            for (uint t = 0; t < count && n + r < N; t++) {
                float total = row_bias[r];
                for (uint i = 0; i < simdgroups; i++) total += partial[r][t][i];
                stream[ulong(begin + t) * N + n + r] = before[r][t] + total;
            }
        if (begin + COUNT >= T) break;
        if (vectors > AHEAD * threads) read_part(part, weight, n, N, vectors, thread_index, threads);
        threadgroup_barrier(mem_flags::mem_threadgroup); // partial: the reads above ↔ the next writes
    }
}

// In pairs two tokens at a time.
template [[host_name("linear_residual_f32")]] kernel decltype(linear_residual<float4, 1, FOURS_AHEAD, 1>) linear_residual<float4, 1, FOURS_AHEAD, 1>;
template [[host_name("linear_residual_f16")]] kernel decltype(linear_residual<half4, 1, FOURS_AHEAD, 1>) linear_residual<half4, 1, FOURS_AHEAD, 1>;
template [[host_name("linear_residual_eights_f16")]] kernel decltype(linear_residual<uint4, 2, EIGHTS_AHEAD, 1>) linear_residual<uint4, 2, EIGHTS_AHEAD, 1>;
template [[host_name("linear_residual_pair_f32")]] kernel decltype(linear_residual<float4, 1, FOURS_AHEAD, 2>) linear_residual<float4, 1, FOURS_AHEAD, 2>;
