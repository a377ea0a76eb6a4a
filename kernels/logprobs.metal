// logprobs.metal — how likely the token that was taken is, and which would have been the likeliest
//
//   ln p[v] = logits[v] − max − ln Σ_v exp(logits[v] − max)
//
// of the chosen token, then of the likeliest, the likeliest first, of two alike the one of the lower index, until as many
// are told as the row wants. The logits are the model's own, before bias, penalties and temperature. One threadgroup per
// row of logits[B,V]; the result of a position lies in slot `position % SLOTS` of its row, until the host has collected it.
#include <metal_stdlib>
using namespace metal;
#include "parts/sampling.h"
#include "parts/sum.h"

constant constexpr uint NO_TOKEN = 0xFFFFFFFFu;

struct Best {
    float logit;
    uint index;
};

static bool is_better(Best a, Best b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.index < b.index);
}

// The best of all threads of the threadgroup, returned to each of them.
static Best threadgroup_best(
    Best own, threadgroup float *best_logits, threadgroup uint *indices, uint lane, uint simdgroup, uint simdgroups)
{
    float logit = simd_max(own.logit);
    uint index = simd_min(own.logit == logit ? own.index : NO_TOKEN);
    threadgroup_barrier(mem_flags::mem_threadgroup); // both arrays: reads of the one before ↔ these writes
    if (lane == 0) {
        best_logits[simdgroup] = logit;
        indices[simdgroup] = index;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // both arrays: the writes above → the reads below
    Best best = {best_logits[0], indices[0]};
    for (uint i = 1; i < simdgroups; i++) {
        Best other = {best_logits[i], indices[i]};
        if (is_better(other, best)) best = other;
    }
    return best;
}

kernel void top_logprobs(
    device const float *logits [[buffer(0)]],         // [B,V]
    device const RowSampling *sampling [[buffer(1)]], // [B]
    device const uint *lengths [[buffer(2)]],         // [B] tokens in the KV cache before this pass
    device const uint *counts [[buffer(3)]],          // [B] tokens of this pass
    device const uint *ids [[buffer(4)]],             // [B] chosen
    device uint *tokens [[buffer(5)]],                // [B, SLOTS, TOLD_MOST]
    device float *logprobs [[buffer(6)]],             // the same
    constant uint &V [[buffer(7)]],
    uint b [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float partial[32], best_logits[32];
    threadgroup uint indices[32];
    uint told = sampling[b].told;
    if (told == 0) return;
    device const float *row = logits + ulong(b) * V;
    ulong slot = (ulong(b) * SLOTS + (lengths[b] + counts[b]) % SLOTS) * TOLD_MOST;

    Best last = {INFINITY, 0}; // the one before, after which the next comes
    float largest = 0.0f, log_sum = 0.0f;
    for (uint n = 0; n < max(told - 1, 1u); n++) {
        Best best = {-INFINITY, NO_TOKEN};
        for (uint v = thread_index; v < V; v += threads) {
            Best other = {row[v], v};
            if ((n == 0 || is_better(last, other)) && is_better(other, best)) best = other;
        }
        last = threadgroup_best(best, best_logits, indices, lane, simdgroup, simdgroups);
        if (n == 0) {
            float sum = 0.0f;
            largest = last.logit;
            for (uint v = thread_index; v < V; v += threads) sum += exp(row[v] - largest);
            log_sum = log(threadgroup_sum(sum, partial, lane, simdgroup, simdgroups));
        }
        if (thread_index == 0 && 1 + n < told) {
            tokens[slot + 1 + n] = last.index;
            logprobs[slot + 1 + n] = last.logit - largest - log_sum;
        }
    }
    if (thread_index != 0) return;
    tokens[slot] = ids[b];
    logprobs[slot] = row[min(ids[b], V - 1)] - largest - log_sum;
}
