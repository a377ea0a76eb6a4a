// shortlist.metal — sampling.metal for large vocabularies: only tokens that may be drawn are looked at
//
// group_maxima.metal has found the largest logit of each of GROUPS groups. If top_k groups have a token with p ≥ c, the
// row has top_k such tokens: so all that top-k keeps is at least c, and c is found among GROUPS maxima. The same by mass:
// where the largest p of the groups with p ≥ c make up top_p of the whole row, so do the tokens with p ≥ c. These few
// tokens, the shortlist, are then cut and drawn from as sampling.metal does with all of them. If they are too many, as in
// a flat distribution by top_p alone, it is done with all of them.
#include <metal_stdlib>
using namespace metal;
#include "parts/draw.h"
#include "parts/vocabulary.h"
#include "parts/random.h"
#include "parts/sampling.h"

constant constexpr uint MOST = 1024, FEW = 256; // of a shortlist; of one that needs no search for its cuts

// The cut that keeps as much of weight[N] as is wanted, see parts/cut.h.
static uint cut_of(device float *weight, uint N, float wanted, bool counts, uint thread_index, uint threads, Team team)
{
    if (N <= FEW) return find_cut_of_few(weight, N, wanted, counts, thread_index, threads, team);
    return find_cut({weight + thread_index, share_of(N, thread_index, threads).count, threads}, wanted, counts, team);
}

kernel void shortlist_sample(
    device const float *logits [[buffer(0)]],         // [B,V]
    device const RowSampling *sampling [[buffer(1)]], // [B]
    device const float *largest [[buffer(2)]],        // [B,GROUPS]
    device const float *sums [[buffer(3)]],           // [B,GROUPS]
    device const uint *lengths [[buffer(4)]],         // [B] tokens in the KV cache before this pass
    device const uint *counts [[buffer(5)]],          // [B] tokens of this pass
    device float *scratch [[buffer(6)]],              // [B,V] for p
    device uint *ids [[buffer(7)]],                   // [B]
    constant uint &V [[buffer(8)]],
    uint b [[threadgroup_position_in_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    threadgroup float partial[32], group_p[GROUPS];
    threadgroup uint found[MOST], listed[MOST];
    threadgroup atomic_uint count;
    device const RowSampling &wanted = sampling[b];
    if (wanted.method != SHORTLISTED) return;
    float temperature = wanted.temperature, top_k = float(wanted.top_k), top_p = wanted.top_p;
    Team team = {partial, lane, simdgroup, simdgroups};
    device const float *row = logits + ulong(b) * V;
    device float *p = scratch + ulong(b) * V;

    // The groups: the largest p of each, and the sum of all p.
    float most = -INFINITY, mass = 0.0f;
    for (uint g = thread_index; g < GROUPS; g += threads) most = max(most, largest[b * GROUPS + g]);
    most = threadgroup_max(most, team);
    for (uint g = thread_index; g < GROUPS; g += threads) {
        group_p[g] = exp((largest[b * GROUPS + g] - most) / temperature);
        mass += sums[b * GROUPS + g] * group_p[g];
    }
    if (thread_index == 0) atomic_store_explicit(&count, 0u, memory_order_relaxed);
    mass = threadgroup_sum(mass, team); // its barriers, too: group_p, count: the writes above → the reads below
    bool by_count = wanted.top_k < V;
    uint least = 0;
    if (by_count || top_p < 1.0f)
        least = find_cut_of_few(group_p, GROUPS, by_count ? top_k : top_p * mass, by_count, thread_index, threads, team);
    least = max(least, as_type<uint>(wanted.min_p));

    // The shortlist, in any order, then by token. A NaN is larger than every cut: it stays visible.
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    for (uint g = simdgroup; g < GROUPS && least > 0; g += simdgroups) {
        if (as_type<uint>(group_p[g]) < least) continue;
        for (uint block = g * BLOCK; block < V; block += AHEAD * STEP)
            for (uint v = block + lane; v < block + BLOCK; v += lanes) {
                float logit[AHEAD];
                read_ahead(row, v, V, logit);
                for (uint i = 0; i < AHEAD; i++) {
                    if (v + i * STEP >= V || as_type<uint>(exp((logit[i] - most) / temperature)) < least) continue;
                    uint place = atomic_fetch_add_explicit(&count, 1u, memory_order_relaxed);
                    if (place < MOST) found[place] = v + i * STEP;
                }
            }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // found, count: the writes above → the reads below
    uint N = atomic_load_explicit(&count, memory_order_relaxed);
    bool is_short = least > 0 && N <= MOST;
    for (uint i = thread_index; i < N && is_short; i += threads) {
        uint before = 0;
        for (uint j = 0; j < N; j++) before += uint(found[j] < found[i]);
        listed[before] = found[i];
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // listed: the writes above → the reads below
    if (!is_short) N = V;

    // As sampling.metal does with the whole row.
    Range mine = share_of(N, thread_index, threads);
    Share own = {p + thread_index, mine.count, threads};
    for (uint i = 0; i < mine.count; i++) {
        uint v = is_short ? listed[mine.begin + i] : mine.begin + i;
        own.weight[i * threads] = exp((row[v] - most) / temperature);
    }
    threadgroup_barrier(mem_flags::mem_device); // p: the writes above → the reads of other threads below
    uint cut = by_count ? cut_of(p, N, top_k, true, thread_index, threads, team) : 0;
    if (top_p < 1.0f) {
        float enough = top_p * (by_count ? kept_by(own, cut, false, team) : mass);
        cut = max(cut, cut_of(p, N, enough, false, thread_index, threads, team));
    }
    cut = max(cut, as_type<uint>(wanted.min_p));
    float u = uniform_random(wanted.seed, lengths[b] + counts[b]);
    uint i;
    if (draw(p, N, cut, u, thread_index, threads, team, i)) ids[b] = is_short && i != NO_TOKEN ? listed[i] : i;
}
