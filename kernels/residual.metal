// residual.metal — fused residual add + layernorm
//
//   res[n,c] = x[n,c] + (y[n,c] + y_bias[c])
//   out[n,c] = (res[n,c] − mean) / sqrt(variance + epsilon) · weight[c] + bias[c]
//
// One threadgroup per row n. A transformer block adds its result to the stream and normalises the sum
// for the next block: fused, the sum is written once and read from cache. y_bias is the bias of the matrix
// product which made y. The statistics are those of layernorm.metal, in two passes, the second of which
// corrects the mean. What comes out is of type Out: half where the next matrix product takes halves.
#include <metal_stdlib>
using namespace metal;
#include "parts/sum.h"

template <typename Out>
kernel void add_and_normalise(
    device const float *x [[buffer(0)]],      // [N,C]
    device const float *y [[buffer(1)]],      // [N,C]
    device const float *y_bias [[buffer(2)]], // [C]
    device const float *weight [[buffer(3)]], // [C]
    device const float *bias [[buffer(4)]],   // [C]
    device float *res [[buffer(5)]],          // [N,C]
    device Out *out [[buffer(6)]],            // [N,C]
    constant uint &C [[buffer(7)]],
    constant float &epsilon [[buffer(8)]],
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
    float sum = 0.0f;
    for (uint c = thread_index; c < C; c += threads) {
        float value = x[start + c] + (y[start + c] + y_bias[c]);
        res[start + c] = value;
        sum += value;
    }
    float mean = threadgroup_sum(sum, partial, lane, simdgroup, simdgroups) / float(C);

    float differences = 0.0f, squares = 0.0f;
    for (uint c = thread_index; c < C; c += threads) {
        float difference = res[start + c] - mean;
        differences += difference;
        squares += difference * difference;
    }
    float error = threadgroup_sum(differences, partial, lane, simdgroup, simdgroups) / float(C);
    float variance = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);

    mean += error;
    float scale = 1.0f / sqrt(variance + epsilon);
    for (uint c = thread_index; c < C; c += threads)
        out[start + c] = Out((res[start + c] - mean) * scale * weight[c] + bias[c]);
}

template [[host_name("residual_layernorm")]] kernel decltype(add_and_normalise<float>) add_and_normalise<float>;
template [[host_name("residual_layernorm_f16")]] kernel decltype(add_and_normalise<half>) add_and_normalise<half>;
