// softmax.metal — scores → weights that add up to 1, between the two kernels of attention.metal
//
//   att[n,s] = exp(att[n,s] − max) / Σ_s exp(att[n,s] − max)      max = the largest of the row
//
// The row's maximum is subtracted before exp, so nothing overflows. One threadgroup per row of att[N,S], its threads
// stride over S. An element −∞ becomes 0.
#include <metal_stdlib>
using namespace metal;

kernel void softmax_inplace(
    device float *att [[buffer(0)]], // [N,S]
    constant uint &S [[buffer(1)]],
    uint n [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float maxima[32];
    threadgroup float sums[32]; // an array of its own: no barrier between the last read of maxima and its writes
    device float *row = att + ulong(n) * S;

    float largest = -INFINITY;
    for (uint s = thread_index; s < S; s += threads) largest = max(largest, row[s]);
    largest = simd_max(largest);
    if (lane == 0) maxima[simdgroup] = largest;
    threadgroup_barrier(mem_flags::mem_threadgroup); // maxima: the write above → the reads below
    for (uint i = 0; i < simdgroups; i++) largest = max(largest, maxima[i]);

    float sum = 0.0f;
    for (uint s = thread_index; s < S; s += threads) {
        float e = exp(row[s] - largest);
        row[s] = e;
        sum += e;
    }
    sum = simd_sum(sum);
    if (lane == 0) sums[simdgroup] = sum;
    threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the write above → the reads below
    sum = 0.0f;
    for (uint i = 0; i < simdgroups; i++) sum += sums[i];

    for (uint s = thread_index; s < S; s += threads) row[s] /= sum;
}
