// linear_tile.metal — weights × vectors, ROWS rows at a time: a tile of the product per simdgroup
//
//   out[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]
//
// linear.metal reads each weight once, but x once per row: for more than a few tokens x no longer fits the
// nearest cache, and reading it takes longer than reading the weights. Here a simdgroup takes ROWS rows, so
// that what it reads of x serves all of them. The rows are `apart` = ⌈N / ROWS⌉ from each other: a processor
// reads ahead in each of ROWS places in memory, and so reads faster than from one. Grid `apart` simdgroups.
#include <metal_stdlib>
using namespace metal;
#include "formats/bf16.h"

constant constexpr uint ROWS = 4; // host: of the weight, per simdgroup

// ROWS weight rows × COUNT tokens, both known to the compiler, so that the sums stay in registers.
template <uint COUNT, typename Weight>
static void tile(device const Weight *weight, device const float *x, device const float *bias,
                 device float *out, uint first, uint K, uint N, uint stride, uint lane,
                 uint lanes)
{
    uint apart = (N + ROWS - 1) / ROWS;
    ulong row[ROWS]; // instead of one after the last, which nobody writes, the last
    float sum[ROWS][COUNT];
    for (uint r = 0; r < ROWS; r++) {
        row[r] = min(first + r * apart, N - 1);
        for (uint t = 0; t < COUNT; t++) sum[r][t] = 0.0f;
    }
    for (uint k = lane; k < K; k += lanes)
        for (uint r = 0; r < ROWS; r++)
            for (uint t = 0; t < COUNT; t++)
                sum[r][t] += as_float(weight[row[r] * K + k]) * x[ulong(t) * K + k];
    for (uint r = 0; r < ROWS; r++)
        for (uint t = 0; t < COUNT; t++) {
            float total = simd_sum(sum[r][t]);
            if (lane == 0 && first + r * apart < N) out[ulong(t) * stride + row[r]] = total + bias[row[r]];
        }
}

template <typename Weight>
kernel void linear_tile(
    device const float *x [[buffer(0)]],       // [T,K]
    device const Weight *weight [[buffer(1)]], // [N,K]
    device const float *bias [[buffer(2)]],    // [N]
    device float *out [[buffer(3)]],           // [T,stride]: N columns of it
    constant uint &T [[buffer(4)]],
    constant uint &K [[buffer(5)]],
    constant uint &N [[buffer(6)]],
    constant uint &stride [[buffer(7)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint first = group * simdgroups + simdgroup, t = 0;
    if (first >= (N + ROWS - 1) / ROWS) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    for (; t + 4 <= T; t += 4) // the second four find the weights in the cache
        tile<4>(weight, x + ulong(t) * K, bias, out + ulong(t) * stride, first, K, N, stride, lane, lanes);
    for (; t + 2 <= T; t += 2)
        tile<2>(weight, x + ulong(t) * K, bias, out + ulong(t) * stride, first, K, N, stride, lane, lanes);
    for (; t < T; t++)
        tile<1>(weight, x + ulong(t) * K, bias, out + ulong(t) * stride, first, K, N, stride, lane, lanes);
}

template [[host_name("linear_tile_f32")]] kernel decltype(linear_tile<float>) linear_tile<float>;
template [[host_name("linear_tile_f16")]] kernel decltype(linear_tile<half>) linear_tile<half>;
template [[host_name("linear_tile_bf16")]] kernel decltype(linear_tile<ushort>) linear_tile<ushort>;
