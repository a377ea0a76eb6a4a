// argmax.metal — the likeliest token: id[b] = the lowest index among the largest logits of row b
//
// One threadgroup per row of logits[B,V]. Two passes: the largest value, then the lowest index that
// holds it, so ties are decided the same way for every number of threads. A row with a NaN gives the
// sentinel NO_TOKEN, which the host reports as an error.
#include <metal_stdlib>
using namespace metal;
#include "parts/sampling.h"

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint NO_TOKEN = 0xFFFFFFFFu; // host: the sentinel
// Reads that are on their way at once: 1,024 threads take two turns for GPT-2's 50,257 logits.
constant constexpr uint AHEAD = SIMD_WIDTH == 1 ? 1 : 25;

kernel void argmax_sample(
    device const float *logits [[buffer(0)]],         // [B,V]
    device const RowSampling *sampling [[buffer(1)]], // [B]
    device uint *ids [[buffer(2)]],                   // [B]
    constant uint &V [[buffer(3)]],
    uint b [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float maxima[32];
    threadgroup uint nans[32];
    threadgroup uint indices[32];
    if (sampling[b].method != LIKELIEST) return;
    device const float *row = logits + ulong(b) * V;

    float largest = -INFINITY;
    uint nan = 0;
    for (uint first = thread_index; first < V; first += AHEAD * threads) {
        float value[AHEAD];
        for (uint i = 0; i < AHEAD; i++) value[i] = row[min(first + i * threads, V - 1)];
        for (uint i = 0; i < AHEAD; i++) {
            largest = max(largest, value[i]);
            nan |= uint(isnan(value[i]));
        }
    }
    largest = simd_max(largest);
    nan = simd_max(nan);
    if (lane == 0) {
        maxima[simdgroup] = largest;
        nans[simdgroup] = nan;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // maxima, nans: the writes above → the reads below
    for (uint i = 0; i < simdgroups; i++) {
        largest = max(largest, maxima[i]);
        nan |= nans[i];
    }

    uint index = NO_TOKEN;
    for (uint first = thread_index; first < V; first += AHEAD * threads)
        for (uint i = 0; i < AHEAD; i++) {
            uint v = min(first + i * threads, V - 1); // past the end the last one again
            index = min(index, row[v] == largest ? v : NO_TOKEN);
        }
    index = simd_min(index);
    if (lane == 0) indices[simdgroup] = index;
    threadgroup_barrier(mem_flags::mem_threadgroup); // indices: the write above → the reads below
    if (thread_index != 0) return;
    for (uint i = 0; i < simdgroups; i++) index = min(index, indices[i]);
    ids[b] = nan ? NO_TOKEN : index;
}
