// fused_linear_residual.metal — weights × vector, added to the residual stream, for decoding
//
//   stream[t,n] += Σ_k x[t,k] · weight[n,k] + bias[n]
//
// linear.metal and the addition of residual.metal in one kernel, whose layernorm is the beginning of the
// kernel that comes next (fused_norm_linear.metal). One simdgroup per weight row n; its lanes read four
// neighbours at a time. K is a multiple of 4. Grid N simdgroups.
#include <metal_stdlib>
using namespace metal;

constant constexpr uint AHEAD = 4; // reads of a lane that are on their way at once, twice

// Weights never change, so they are read before the kernel that makes x has ended, on targets that start a
// kernel that early.
constant constexpr bool WAITS_ITSELF = true;
#ifndef KERNELS_OVERLAP
#define wait_for_previous_kernel()
#endif

// The next reads of a row: from `first` on, 0 behind its end.
template <typename Vector>
static void read_ahead(device const Vector *weight, uint first, uint vectors, uint lanes,
                       thread Vector (&ahead)[AHEAD])
{
    for (uint i = 0; i < AHEAD; i++) {
        Vector value = weight[min(first + i * lanes, vectors - 1)];
        ahead[i] = first + i * lanes < vectors ? value : Vector(0.0f);
    }
}

// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.
template <uint COUNT, typename Vector>
static void add_row(device const Vector *weight, device const float4 *x, float bias, device float *stream,
                    uint vectors, uint N, uint lane, uint lanes)
{
    Vector value[AHEAD], next[AHEAD];
    read_ahead(weight, lane, vectors, lanes, value);
    read_ahead(weight, lane + AHEAD * lanes, vectors, lanes, next);
    wait_for_previous_kernel();
    float sum[COUNT], before[COUNT]; // read early: it takes as long as a part of the weights
    for (uint t = 0; t < COUNT; t++) {
        sum[t] = 0.0f;
        before[t] = lane == 0 ? stream[ulong(t) * N] : 0.0f;
    }
    for (uint first = lane; first < vectors; first += AHEAD * lanes) {
        for (uint i = 0; i < AHEAD; i++)
            for (uint t = 0; t < COUNT; t++)
                sum[t] += dot(float4(value[i]), x[ulong(t) * vectors + min(first + i * lanes, vectors - 1)]);
        for (uint i = 0; i < AHEAD; i++) value[i] = next[i];
        read_ahead(weight, first + 2 * AHEAD * lanes, vectors, lanes, next);
    }
    for (uint t = 0; t < COUNT; t++) {
        float total = simd_sum(sum[t]);
        if (lane == 0) stream[ulong(t) * N] = before[t] + (total + bias);
    }
}

kernel void linear_residual_f32(
    device const float4 *x [[buffer(0)]],      // [T,K/4]
    device const float4 *weight [[buffer(1)]], // [N,K/4]
    device const float *bias [[buffer(2)]],    // [N]
    device float *stream [[buffer(3)]],        // [T,N]
    constant uint &T [[buffer(4)]],
    constant uint &K [[buffer(5)]],
    constant uint &N [[buffer(6)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint n = group * simdgroups + simdgroup, vectors = K / 4;
    if (n >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    device const float4 *row = weight + ulong(n) * vectors;
    uint t = 0;
    for (; t + 8 <= T; t += 8)
        add_row<8>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);
    for (; t + 4 <= T; t += 4)
        add_row<4>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);
    for (; t + 2 <= T; t += 2)
        add_row<2>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);
    for (; t < T; t++)
        add_row<1>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);
}

kernel void linear_residual_f16(
    device const float4 *x [[buffer(0)]],      // [T,K/4]
    device const half4 *weight [[buffer(1)]],  // [N,K/4]
    device const float *bias [[buffer(2)]],    // [N]
    device float *stream [[buffer(3)]],        // [T,N]
    constant uint &T [[buffer(4)]],
    constant uint &K [[buffer(5)]],
    constant uint &N [[buffer(6)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint n = group * simdgroups + simdgroup, vectors = K / 4;
    if (n >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    device const half4 *row = weight + ulong(n) * vectors;
    uint t = 0;
    for (; t + 8 <= T; t += 8)
        add_row<8>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);
    for (; t + 4 <= T; t += 4)
        add_row<4>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);
    for (; t + 2 <= T; t += 2)
        add_row<2>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);
    for (; t < T; t++)
        add_row<1>(row, x + ulong(t) * vectors, bias[n], stream + ulong(t) * N + n, vectors, N, lane, lanes);
}
