// linear.metal — weights × vector, for decoding: 1 to 8 tokens at a time
//
//   out[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]
//
// One simdgroup per weight row n: its lanes stride over the K inputs and add up their parts. Every weight is read once,
// whatever T is; decoding is bound by those bytes. The weights are of type Weight, float, half or ushort (bf16);
// linear_blocks.metal does the same for packed ones.
#include <metal_stdlib>
using namespace metal;
#include "formats/bf16.h"

// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.
template <uint COUNT, typename Weight>
static void row_times_tokens(device const Weight *weight, device const float *x, float bias, device float *out, uint K,
                             uint stride, uint lane, uint lanes)
{
    float sum[COUNT];
    for (uint t = 0; t < COUNT; t++) sum[t] = 0.0f;
    for (uint k = lane; k < K; k += lanes)
        for (uint t = 0; t < COUNT; t++) sum[t] += as_float(weight[k]) * x[ulong(t) * K + k];
    for (uint t = 0; t < COUNT; t++) {
        float total = simd_sum(sum[t]);
        if (lane == 0) out[ulong(t) * stride] = total + bias;
    }
}

template <typename Weight>
kernel void linear(
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
    uint n = group * simdgroups + simdgroup, t = 0;
    if (n >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    device const Weight *row = weight + ulong(n) * K;
    for (; t + 8 <= T; t += 8)
        row_times_tokens<8>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);
    for (; t + 4 <= T; t += 4)
        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);
    for (; t + 2 <= T; t += 2)
        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);
    for (; t < T; t++)
        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);
}

template [[host_name("linear_f32")]] kernel decltype(linear<float>) linear<float>;
template [[host_name("linear_f16")]] kernel decltype(linear<half>) linear<half>;
template [[host_name("linear_bf16")]] kernel decltype(linear<ushort>) linear<ushort>;
