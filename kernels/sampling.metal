// sampling.metal — draw a token: temperature, top-k, top-p, min-p, then one random number per row
//
//   p[v] = exp((logits[v] − max) / temperature)
//   keep the top_k largest p, of these the largest that make up top_p of their sum, of these all p ≥ min_p
//   id   = the first kept v whose running sum exceeds u · Σ p, u uniform in [0, 1)
//
// in that order, as Hugging Face's generate does; ties at a cut are all kept. One threadgroup per row of logits[B,V]. u
// is Philox4x32-10 (Salmon et al. 2011) of (seed + row, position of the new token): one seed gives one text. A NaN or +∞
// gives NO_TOKEN, which the host reports.
#include <metal_stdlib>
using namespace metal;
#include "parts/cut.h"

constant constexpr uint NO_TOKEN = 0xFFFFFFFFu;

// The first of Philox's four words for this counter and key, as a float in [0, 1).
static float uniform_random(ulong key, uint counter)
{
    uint x0 = counter, x1 = 0, x2 = 0, x3 = 0, k0 = uint(key), k1 = uint(key >> 32);
    for (uint round = 0; round < 10; round++) {
        uint high0 = mulhi(0xD2511F53u, x0), low0 = 0xD2511F53u * x0;
        uint high1 = mulhi(0xCD9E8D57u, x2), low1 = 0xCD9E8D57u * x2;
        x0 = high1 ^ x1 ^ k0;
        x1 = low1;
        x2 = high0 ^ x3 ^ k1;
        x3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return float(x0 >> 8) * 0x1p-24f;
}

kernel void top_k_top_p_sample(
    device const float *logits [[buffer(0)]], // [B,V]
    device const uint *lengths [[buffer(1)]], // [B] tokens in the KV cache before this pass
    device const uint *counts [[buffer(2)]],  // [B] tokens of this pass
    device float *scratch [[buffer(3)]],      // [B,V] for p
    device uint *ids [[buffer(4)]],           // [B]
    constant uint &V [[buffer(5)]],
    constant float &temperature [[buffer(6)]], // > 0
    constant uint &top_k [[buffer(7)]],        // 1 … V
    constant float &top_p [[buffer(8)]],       // 0 < top_p ≤ 1
    constant float &min_p [[buffer(9)]],       // 0 ≤ min_p ≤ 1, of the largest p, which is 1
    constant ulong &seed [[buffer(10)]],
    uint b [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float partial[32], maxima[32], sums[1024]; // the sums one per thread
    device const float *row = logits + ulong(b) * V;
    device float *p = scratch + ulong(b) * V;
    // Thread t owns neighbours, from v = t · least + min(t, more) on; their p take turns with those of the others, so
    // that what a simdgroup reads at a time lies side by side.
    uint least = V / threads, more = V % threads;
    uint begin = thread_index * least + min(thread_index, more);
    Share own = {p + thread_index, least + uint(thread_index < more), threads, partial, lane, simdgroup, simdgroups};

    float largest = -INFINITY, sum = 0.0f;
    for (uint v = thread_index; v < V; v += threads) largest = max(largest, row[v]);
    largest = threadgroup_max(largest, maxima, lane, simdgroup, simdgroups);
    for (uint i = 0; i < own.count; i++) own.weight[i * threads] = exp((row[begin + i] - largest) / temperature);

    // From here on a thread reads only the weights that it wrote.
    uint cut = top_k < V ? find_cut(own, float(top_k), true) : 0;
    if (top_p < 1.0f) cut = max(cut, find_cut(own, top_p * kept_by(own, cut, false), false));
    cut = max(cut, as_type<uint>(min_p));
    for (uint i = 0; i < own.count; i++)
        sum += as_type<uint>(own.weight[i * threads]) >= cut ? own.weight[i * threads] : 0.0f;
    sums[thread_index] = sum;
    // sums: the write above → the reads below. p: all writes → the reads of thread 0.
    threadgroup_barrier(mem_flags::mem_threadgroup | mem_flags::mem_device);
    if (thread_index != 0) return;

    float total = 0.0f;
    for (uint i = 0; i < threads; i++) total += sums[i];
    float target = uniform_random(seed + b, lengths[b] + counts[b]) * total;
    // Rounding may leave a rest of the target at the end: then the last one with a weight stands.
    uint chosen = 0;
    float rest = target; // within the chosen thread's share
    for (uint i = 0; i < threads; i++) {
        if (!(sums[i] > 0.0f)) continue;
        chosen = i;
        rest = target;
        if (target < sums[i]) break;
        target -= sums[i];
    }
    uint id = NO_TOKEN;
    for (uint i = 0; i < least + uint(chosen < more); i++) {
        float weight = p[i * threads + chosen];
        if (as_type<uint>(weight) < cut || !(weight > 0.0f)) continue;
        id = chosen * least + min(chosen, more) + i;
        rest -= weight;
        if (rest < 0.0f) break;
    }
    ids[b] = isnan(total) ? NO_TOKEN : id;
}
