// rmsnorm.metal — scale rows to a mean square of 1, then each channel by its weight (Zhang & Sennrich 2019)
//
//   rmsnorm_forward    out[n,c] = x[n,c] / sqrt(Σ_c x[n,c]² / C + epsilon) · weight[c]
//   residual_rmsnorm   res[n,c] = x[n,c] + (y[n,c] + y_bias[c]),   out = rmsnorm of res
//
// layernorm.metal without the mean and without the shift: Llama and its relatives learn as well with half of the work.
// One threadgroup per row n; its threads stride over the C channels. As residual.metal does, residual_rmsnorm adds what
// a block of the transformer has made to the stream, on the way to the norm of the next. What comes out is of type Out:
// half where the next matrix product takes halves.
#include <metal_stdlib>
using namespace metal;
#include "parts/sum.h"

template <typename Out>
kernel void rmsnorm_forward(
    device const float *x [[buffer(0)]],      // [N,C]
    device const float *weight [[buffer(1)]], // [C]
    device Out *out [[buffer(2)]],            // [N,C]
    constant uint &C [[buffer(3)]],
    constant float &epsilon [[buffer(4)]],
    uint n [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float partial[32];
    ulong start = ulong(n) * C;

    float squares = 0.0f;
    for (uint c = thread_index; c < C; c += threads) squares += x[start + c] * x[start + c];
    float mean = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);

    float scale = 1.0f / sqrt(mean + epsilon);
    for (uint c = thread_index; c < C; c += threads) out[start + c] = Out(x[start + c] * scale * weight[c]);
}

template <typename Out>
kernel void residual_rmsnorm(
    device const float *x [[buffer(0)]],      // [N,C]
    device const float *y [[buffer(1)]],      // [N,C]
    device const float *y_bias [[buffer(2)]], // [C]
    device const float *weight [[buffer(3)]], // [C]
    device float *res [[buffer(4)]],          // [N,C]
    device Out *out [[buffer(5)]],            // [N,C]
    constant uint &C [[buffer(6)]],
    constant float &epsilon [[buffer(7)]],
    uint n [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float partial[32];
    ulong start = ulong(n) * C;

    // Each thread reads back only the elements of res that it wrote itself: no barrier is needed.
    float squares = 0.0f;
    for (uint c = thread_index; c < C; c += threads) {
        float value = x[start + c] + (y[start + c] + y_bias[c]);
        res[start + c] = value;
        squares += value * value;
    }
    float mean = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);

    float scale = 1.0f / sqrt(mean + epsilon);
    for (uint c = thread_index; c < C; c += threads) out[start + c] = Out(res[start + c] * scale * weight[c]);
}

template [[host_name("rmsnorm_forward")]] kernel decltype(rmsnorm_forward<float>) rmsnorm_forward<float>;
template [[host_name("rmsnorm_forward_f16")]] kernel decltype(rmsnorm_forward<half>) rmsnorm_forward<half>;
template [[host_name("residual_rmsnorm")]] kernel decltype(residual_rmsnorm<float>) residual_rmsnorm<float>;
template [[host_name("residual_rmsnorm_f16")]] kernel decltype(residual_rmsnorm<half>) residual_rmsnorm<half>;
