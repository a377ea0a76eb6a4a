// sandwich_norm.metal — a norm after a block of the transformer and one before the next, for Gemma
//
//   res[n,c] = x[n,c] + rmsnorm(y)[n,c] · after[c]
//   out[n,c] = rmsnorm(res)[n,c] · weight[c]              rmsnorm(x)[n,c] = x[n,c] / sqrt(Σ_c x[n,c]² / C + epsilon)
//
// residual_rmsnorm of rmsnorm.metal, but that the stream gets what the block has made, y, only once that is normalised
// itself: so a deep stream does not grow without bound. One threadgroup per row n; its threads stride over the C
// channels. What comes out is of type Out: half where the next matrix product takes halves.
#include <metal_stdlib>
using namespace metal;
#include "parts/sum.h"

template <typename Out>
kernel void sandwich_rmsnorm(
    device const float *x [[buffer(0)]],      // [N,C]
    device const float *y [[buffer(1)]],      // [N,C]
    device const float *after [[buffer(2)]],  // [C]
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

    float squares = 0.0f;
    for (uint c = thread_index; c < C; c += threads) squares += y[start + c] * y[start + c];
    float mean = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);

    // Each thread reads back only the elements of res that it wrote itself: no barrier is needed.
    float scale = 1.0f / sqrt(mean + epsilon);
    squares = 0.0f;
    for (uint c = thread_index; c < C; c += threads) {
        float value = x[start + c] + y[start + c] * scale * after[c];
        res[start + c] = value;
        squares += value * value;
    }
    mean = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);

    scale = 1.0f / sqrt(mean + epsilon);
    for (uint c = thread_index; c < C; c += threads) out[start + c] = Out(res[start + c] * scale * weight[c]);
}

template [[host_name("sandwich_rmsnorm")]] kernel decltype(sandwich_rmsnorm<float>) sandwich_rmsnorm<float>;
template [[host_name("sandwich_rmsnorm_f16")]] kernel decltype(sandwich_rmsnorm<half>) sandwich_rmsnorm<half>;
