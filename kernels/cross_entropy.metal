// cross_entropy.metal — −ln of the probability that the next token was given
//
//   nats[n] = −ln softmax(logits[n])[target] = max + ln Σ_v exp(logits[n,v] − max) − logits[n,target]
//
// with target = targets[n]. One threadgroup per row of logits[N,V]; its threads stride over V. The mean
// over a text is the model's loss, its exponential the perplexity.
#include <metal_stdlib>
using namespace metal;

kernel void cross_entropy_forward(
    device const float *logits [[buffer(0)]], // [N,V]
    device const uint *targets [[buffer(1)]], // [N]
    device float *nats [[buffer(2)]],         // [N]
    constant uint &V [[buffer(3)]],
    uint n [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float maxima[32];
    threadgroup float sums[32];
    device const float *row = logits + ulong(n) * V;

    float largest = -INFINITY;
    for (uint v = thread_index; v < V; v += threads) largest = max(largest, row[v]);
    largest = simd_max(largest);
    if (lane == 0) maxima[simdgroup] = largest;
    threadgroup_barrier(mem_flags::mem_threadgroup); // maxima: the write above → the reads below
    for (uint i = 0; i < simdgroups; i++) largest = max(largest, maxima[i]);

    float sum = 0.0f;
    for (uint v = thread_index; v < V; v += threads) sum += exp(row[v] - largest);
    sum = simd_sum(sum);
    if (lane == 0) sums[simdgroup] = sum;
    threadgroup_barrier(mem_flags::mem_threadgroup); // sums: the write above → the reads below
    if (thread_index != 0) return;
    sum = 0.0f;
    for (uint i = 0; i < simdgroups; i++) sum += sums[i];
    nats[n] = largest - row[min(targets[n], V - 1)] + log(sum);
}
