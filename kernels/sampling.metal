// sampling.metal — draw a token: temperature, top-k, top-p, min-p, then one random number per row
//
//   p[v] = exp((logits[v] − max) / temperature)
//   keep the top_k largest p, of these the largest that make up top_p of their sum, of these all p ≥ min_p
//   id   = the first kept v whose running sum exceeds u · Σ p, u uniform in [0, 1)
//
// in that order, as Hugging Face's generate does; ties at a cut are all kept. One threadgroup per row of logits[B,V]. u
// is Philox4x32-10 (Salmon et al. 2011) of (the row's seed, position of the new token): one seed gives one text. A NaN
// or +∞ gives NO_TOKEN, which the host reports.
#include <metal_stdlib>
using namespace metal;
#include "parts/draw.h"
#include "parts/random.h"
#include "parts/sampling.h"

kernel void top_k_top_p_sample(
    device const float *logits [[buffer(0)]],         // [B,V]
    device const RowSampling *sampling [[buffer(1)]], // [B]
    device const uint *lengths [[buffer(2)]],         // [B] tokens in the KV cache before this pass
    device const uint *counts [[buffer(3)]],          // [B] tokens of this pass
    device float *scratch [[buffer(4)]],              // [B,V] for p
    device uint *ids [[buffer(5)]],                   // [B]
    constant uint &V [[buffer(6)]],
    uint b [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float partial[32];
    device const RowSampling &wanted = sampling[b];
    if (wanted.method != DRAWN) return;
    float temperature = wanted.temperature, top_p = wanted.top_p;
    Team team = {partial, lane, simdgroup, simdgroups};
    device const float *row = logits + ulong(b) * V;
    device float *p = scratch + ulong(b) * V;
    // A thread owns neighbours; their p take turns with those of the others, so that what a simdgroup reads at a time
    // lies side by side.
    Range mine = share_of(V, thread_index, threads);
    Share own = {p + thread_index, mine.count, threads};

    float largest = -INFINITY;
    for (uint v = thread_index; v < V; v += threads) largest = max(largest, row[v]);
    largest = threadgroup_max(largest, team);
    for (uint i = 0; i < mine.count; i++) own.weight[i * threads] = exp((row[mine.begin + i] - largest) / temperature);

    uint cut = wanted.top_k < V ? find_cut(own, float(wanted.top_k), true, team) : 0;
    if (top_p < 1.0f) cut = max(cut, find_cut(own, top_p * kept_by(own, cut, false, team), false, team));
    cut = max(cut, as_type<uint>(wanted.min_p));
    threadgroup_barrier(mem_flags::mem_device); // p: the writes above → the reads of other threads below
    float u = uniform_random(wanted.seed, lengths[b] + counts[b]);
    uint id;
    if (draw(p, V, cut, u, thread_index, threads, team, id)) ids[b] = id;
}
