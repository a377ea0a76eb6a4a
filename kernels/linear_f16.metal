// linear_f16.metal — weights × vector with weights in half precision; everything else is float
//
//   out[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]
//
// One simdgroup per weight row n, as in linear.metal: half the bytes, so up to twice the speed.
#include <metal_stdlib>
using namespace metal;

// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.
template <uint COUNT>
static void row_times_tokens(device const half *weight, device const float *x, float bias,
                             device float *out, uint K, uint N, uint lane, uint lanes)
{
    float sum[COUNT];
    for (uint t = 0; t < COUNT; t++) sum[t] = 0.0f;
    for (uint k = lane; k < K; k += lanes)
        for (uint t = 0; t < COUNT; t++) sum[t] += float(weight[k]) * x[ulong(t) * K + k];
    for (uint t = 0; t < COUNT; t++) {
        float total = simd_sum(sum[t]);
        if (lane == 0) out[ulong(t) * N] = total + bias;
    }
}

kernel void linear_f16(
    device const float *x [[buffer(0)]],      // [T,K]
    device const half *weight [[buffer(1)]], // [N,K]
    device const float *bias [[buffer(2)]],   // [N]
    device float *out [[buffer(3)]],          // [T,N]
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
    uint n = group * simdgroups + simdgroup;
    if (n >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    device const half *row = weight + ulong(n) * K;
    device float *column = out + n;
    uint t = 0;
    for (; t + 8 <= T; t += 8)
        row_times_tokens<8>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);
    for (; t + 4 <= T; t += 4)
        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);
    for (; t + 2 <= T; t += 2)
        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);
    for (; t < T; t++)
        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);
}

// For the matrix library, which takes one type for both inputs: out[i] = in[i] as float. Grid N.
kernel void dequantise_f16(
    device const half *in [[buffer(0)]], // [N]
    device float *out [[buffer(1)]],     // [N]
    constant uint &N [[buffer(2)]],
    uint i [[thread_position_in_grid]])
{
    if (i < N) out[i] = float(in[i]);
}

// The other way: activations that the matrix library multiplies with halves. out[i] = in[i] as half. Grid N.
kernel void convert_f16(
    device const float *in [[buffer(0)]], // [N]
    device half *out [[buffer(1)]],       // [N]
    constant uint &N [[buffer(2)]],
    uint i [[thread_position_in_grid]])
{
    if (i < N) out[i] = half(in[i]);
}
