// group_maxima.metal — what the groups of a large vocabulary have, and argmax.metal by means of it
//
//   largest[b,g] = max of group g's logits, NaN if one is        sums[b,g] = Σ exp((logit − largest[b,g]) / temperature)
//   id[b]        = the lowest index among the largest logits of row b
//
// One threadgroup cannot read a row as fast as memory gives it. So a simdgroup looks through each group, and what is
// left for one threadgroup per row is 256 groups, and the tokens of the one that has the largest.
#include <metal_stdlib>
using namespace metal;
#include "parts/sampling.h"
#include "parts/vocabulary.h"

constant constexpr uint NO_TOKEN = 0xFFFFFFFFu;

kernel void group_maxima(
    device const float *logits [[buffer(0)]],         // [B,V]
    device const RowSampling *sampling [[buffer(1)]], // [B]
    device float *largest [[buffer(2)]],              // [B,GROUPS]
    device float *sums [[buffer(3)]],                 // [B,GROUPS] 0 where all are −∞
    constant uint &B [[buffer(4)]],
    constant uint &V [[buffer(5)]],
    uint threadgroup_index [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint n = threadgroup_index * simdgroups + simdgroup, b = n / GROUPS, first = n % GROUPS * BLOCK;
    if (b >= B) return;
    uint method = sampling[b].method;
    if (method != LIKELIEST_OF_GROUPS && method != SHORTLISTED) return;
    float temperature = sampling[b].temperature;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    device const float *row = logits + ulong(b) * V;
    float logit[AHEAD], most = -INFINITY, sum = 0.0f;
    uint nan = 0;
    for (uint block = first; block < V; block += AHEAD * STEP)
        for (uint v = block + lane; v < block + BLOCK; v += lanes) {
            read_ahead(row, v, V, logit);
            for (uint i = 0; i < AHEAD; i++) {
                most = max(most, logit[i]);
                nan |= uint(isnan(logit[i]));
            }
        }
    most = simd_max(most);
    for (uint block = first; block < V; block += AHEAD * STEP)
        for (uint v = block + lane; v < block + BLOCK; v += lanes) {
            read_ahead(row, v, V, logit);
            for (uint i = 0; i < AHEAD; i++) sum += exp((logit[i] - most) / temperature);
        }
    nan = simd_max(nan);
    sum = simd_sum(sum);
    if (lane != 0) return;
    largest[n] = nan ? NAN : most;
    sums[n] = most > -INFINITY ? sum : 0.0f;
}

// A row with a NaN gives NO_TOKEN.
kernel void group_argmax(
    device const float *logits [[buffer(0)]],         // [B,V]
    device const RowSampling *sampling [[buffer(1)]], // [B]
    device const float *largest [[buffer(2)]],        // [B,GROUPS]
    device uint *ids [[buffer(3)]],                   // [B]
    constant uint &V [[buffer(4)]],
    uint b [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    threadgroup uint indices[32];
    if (sampling[b].method != LIKELIEST_OF_GROUPS) return;
    device const float *row = logits + ulong(b) * V;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial

    // Each simdgroup finds the largest of all groups, then looks through its share of them.
    float most = -INFINITY;
    uint nan = 0, index = NO_TOKEN;
    for (uint g = lane; g < GROUPS; g += lanes) {
        most = max(most, largest[b * GROUPS + g]);
        nan |= uint(isnan(largest[b * GROUPS + g]));
    }
    most = simd_max(most);
    nan = simd_max(nan);
    for (uint g = simdgroup; g < GROUPS; g += simdgroups) {
        if (largest[b * GROUPS + g] != most) continue;
        for (uint block = g * BLOCK; block < V; block += AHEAD * STEP)
            for (uint v = block + lane; v < block + BLOCK; v += lanes) {
                float logit[AHEAD];
                read_ahead(row, v, V, logit);
                for (uint i = 0; i < AHEAD; i++)
                    if (v + i * STEP < V && logit[i] == most) index = min(index, v + i * STEP);
            }
    }
    index = simd_min(index);
    if (lane == 0) indices[simdgroup] = index;
    threadgroup_barrier(mem_flags::mem_threadgroup); // indices: the write above → the reads below
    if (thread_index != 0) return;
    for (uint i = 0; i < simdgroups; i++) index = min(index, indices[i]);
    ids[b] = nan ? NO_TOKEN : index;
}
