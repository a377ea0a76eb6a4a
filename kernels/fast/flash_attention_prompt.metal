// flash_attention_prompt.metal — flash_attention.metal for the many queries of a prompt, head size 64
//
//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h
//
// One threadgroup per block of QUERIES queries, grid (⌈T / QUERIES⌉, nh, B); a thread has SHARE of them, one on a GPU
// and all on a CPU, where they lie side by side in a vector. Together they go through the keys, a tile at a time: a
// number of K or V is read once for all of them, maxima, totals and exponentials are vectors as well, and nothing is
// ever added up across one. As in flash_attention.metal each query keeps a running maximum m, total l and weighted
// sum of V. Query t of row b sees the keys s < lengths[b] + min(t + 1, counts[b]). The KV cache is of type KV.
#include <metal_stdlib>
using namespace metal;
#include "parts/simd_width.h"

constant constexpr uint HS = 64;      // head size
constant constexpr uint QUERIES = 32; // host: per threadgroup
constant constexpr uint SHARE = QUERIES / SIMD_WIDTH;
constant constexpr uint TILE = 32; // keys
constant constexpr uint KEYS = 8;  // of a tile, whose sums stay in registers

// What a thread knows of its queries.
struct Queries {
    float q[HS][SHARE];   // · scale
    float sum[HS][SHARE]; // of V, weighted
    float m[SHARE], l[SHARE];
    uint limit[SHARE]; // keys that it sees
};

// weight[s][j] = K[s] · q[j] for COUNT keys
template <uint COUNT, typename KV>
static void score(thread const Queries &queries, device const KV *keys, thread float (*weight)[SHARE])
{
    float sum[COUNT][SHARE];
    for (uint s = 0; s < COUNT; s++)
        for (uint j = 0; j < SHARE; j++) sum[s][j] = 0.0f;
    for (uint d = 0; d < HS; d++) {
        float q[SHARE];
        for (uint j = 0; j < SHARE; j++) q[j] = queries.q[d][j];
        for (uint s = 0; s < COUNT; s++)
            for (uint j = 0; j < SHARE; j++) sum[s][j] += float(keys[s * HS + d]) * q[j];
    }
    for (uint s = 0; s < COUNT; s++)
        for (uint j = 0; j < SHARE; j++) weight[s][j] = sum[s][j];
}

// From scores to their exponentials; what was summed up so far shrinks by as much as the maximum has grown.
static void soften(thread Queries &queries, thread float (*weight)[SHARE], uint from, uint count)
{
    float largest[SHARE], shrink[SHARE], total[SHARE];
    for (uint j = 0; j < SHARE; j++) largest[j] = queries.m[j];
    for (uint s = 0; s < count; s++)
        for (uint j = 0; j < SHARE; j++) {
            weight[s][j] = from + s < queries.limit[j] ? weight[s][j] : -INFINITY;
            largest[j] = max(largest[j], weight[s][j]);
        }
    for (uint j = 0; j < SHARE; j++) {
        shrink[j] = exp(queries.m[j] - largest[j]); // 0 at first; the first key is seen by every query
        queries.m[j] = largest[j];
        total[j] = 0.0f;
    }
    for (uint s = 0; s < count; s++)
        for (uint j = 0; j < SHARE; j++) {
            weight[s][j] = exp(weight[s][j] - largest[j]);
            total[j] += weight[s][j];
        }
    for (uint j = 0; j < SHARE; j++) queries.l[j] = queries.l[j] * shrink[j] + total[j];
    for (uint d = 0; d < HS; d++)
        for (uint j = 0; j < SHARE; j++) queries.sum[d][j] *= shrink[j];
}

// sum[j] += Σ_s weight[s][j] · V[s] for COUNT keys
template <uint COUNT, typename KV>
static void mix(thread Queries &queries, device const KV *values, thread const float (*weight)[SHARE])
{
    float w[COUNT][SHARE];
    for (uint s = 0; s < COUNT; s++)
        for (uint j = 0; j < SHARE; j++) w[s][j] = weight[s][j];
    for (uint d = 0; d < HS; d++) {
        float sum[SHARE];
        for (uint j = 0; j < SHARE; j++) sum[j] = queries.sum[d][j];
        for (uint s = 0; s < COUNT; s++)
            for (uint j = 0; j < SHARE; j++) sum[j] += float(values[s * HS + d]) * w[s][j];
        for (uint j = 0; j < SHARE; j++) queries.sum[d][j] = sum[j];
    }
}

// Keys from … from + count − 1.
template <typename KV>
static void attend(thread Queries &queries, device const KV *keys, device const KV *values, uint from, uint count)
{
    float weight[TILE][SHARE];
    uint whole = count / KEYS * KEYS;
    for (uint s = 0; s < whole; s += KEYS) score<KEYS>(queries, keys + s * HS, weight + s);
    for (uint s = whole; s < count; s++) score<1>(queries, keys + s * HS, weight + s);
    soften(queries, weight, from, count);
    for (uint s = 0; s < whole; s += KEYS) mix<KEYS>(queries, values + s * HS, weight + s);
    for (uint s = whole; s < count; s++) mix<1>(queries, values + s * HS, weight + s);
}

template <typename KV>
kernel void flash_attention_prompt(
    device const float *q [[buffer(0)]],      // [B,nh,T,64]
    device const KV *keys [[buffer(1)]],      // [B,nh,capacity,64]
    device const KV *values [[buffer(2)]],    // [B,nh,capacity,64]
    device const uint *lengths [[buffer(3)]], // [B]
    device const uint *counts [[buffer(4)]],  // [B]
    device float *out [[buffer(5)]],          // [B,T,nh,64]
    constant uint &T [[buffer(6)]],
    constant uint &capacity [[buffer(7)]],
    constant float &scale [[buffer(8)]],
    uint3 group [[threadgroup_position_in_grid]],
    uint3 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint3 group_size [[threads_per_threadgroup]])
{
    uint b = group.z, nh = groups.y;
    ulong head = ulong(b) * nh + group.y, cache = head * capacity * HS;
    for (uint begin = thread_index * SHARE; begin < QUERIES; begin += group_size.x * SHARE) {
        uint first = group.x * QUERIES + begin; // of this thread's queries
        if (first >= T) break;
        Queries queries;
        for (uint j = 0; j < SHARE; j++) { // what is behind the last query is that query again
            uint t = min(first + j, T - 1);
            queries.m[j] = -INFINITY;
            queries.l[j] = 0.0f;
            queries.limit[j] = lengths[b] + min(t + 1, counts[b]);
            for (uint d = 0; d < HS; d++) {
                queries.q[d][j] = q[(head * T + t) * HS + d] * scale;
                queries.sum[d][j] = 0.0f;
            }
        }
        uint visible = queries.limit[SHARE - 1]; // to the last of them
        for (uint s = 0; s < visible; s += TILE)
            attend(queries, keys + cache + ulong(s) * HS, values + cache + ulong(s) * HS, s, min(TILE, visible - s));
        for (uint j = 0; j < min(SHARE, T - first); j++)
            for (uint d = 0; d < HS; d++)
                out[((ulong(b) * T + first + j) * nh + group.y) * HS + d] = queries.sum[d][j] / queries.l[j];
    }
}

template [[host_name("flash_attention_prompt_f32")]] kernel decltype(flash_attention_prompt<float>) flash_attention_prompt<float>;
template [[host_name("flash_attention_prompt_f16")]] kernel decltype(flash_attention_prompt<half>) flash_attention_prompt<half>;
