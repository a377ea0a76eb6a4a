// flash_attention_prompt.metal — flash_attention.metal for the many queries of a prompt, heads of HS channels
//
//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h
//
// One threadgroup per block of QUERIES queries, grid (⌈T · nh / nkv / QUERIES⌉, nkv, B), which are those of
// flash_attention_shared.metal; a thread has SHARE of them, one on a GPU and all on a CPU, where they lie side by side
// in a vector. Together they go through the keys, a page at a time: a number of K or V is read once for all of them,
// maxima, totals and exponentials are vectors as well, and nothing is ever added up across one. As in
// flash_attention.metal each query keeps a running maximum m, total l and weighted sum of V. Token t of row b sees the
// last `window` of the keys s < lengths[b] + min(t + 1, counts[b]). The KV cache is of type KV.
#include <metal_stdlib>
using namespace metal;
#include "parts/pages.h"
#include "parts/simd_width.h"

constant constexpr uint QUERIES = 32; // host: per threadgroup
constant constexpr uint SHARE = QUERIES / SIMD_WIDTH;
constant constexpr uint KEYS = 8; // of a page, whose sums stay in registers

// What a thread knows of its queries.
template <uint HS> struct Queries {
    float q[HS][SHARE];   // · scale
    float sum[HS][SHARE]; // of V, weighted
    float m[SHARE], l[SHARE];
    uint from[SHARE], limit[SHARE]; // of the keys that it sees
};

// weight[s][j] = K[s] · q[j] for COUNT keys
template <uint COUNT, uint HS, typename KV>
static void score(thread const Queries<HS> &queries, device const KV *keys, thread float (*weight)[SHARE])
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
template <uint HS>
static void soften(thread Queries<HS> &queries, thread float (*weight)[SHARE], uint from, uint count)
{
    float largest[SHARE], shrink[SHARE], total[SHARE];
    for (uint j = 0; j < SHARE; j++) largest[j] = queries.m[j];
    for (uint s = 0; s < count; s++)
        for (uint j = 0; j < SHARE; j++) {
            bool seen = from + s >= queries.from[j] && from + s < queries.limit[j];
            weight[s][j] = seen ? weight[s][j] : -INFINITY;
            largest[j] = max(largest[j], weight[s][j]);
        }
    for (uint j = 0; j < SHARE; j++) {
        shrink[j] = exp(queries.m[j] - largest[j]); // 0 when the first key is seen
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
template <uint COUNT, uint HS, typename KV>
static void mix(thread Queries<HS> &queries, device const KV *values, thread const float (*weight)[SHARE])
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
template <uint HS, typename KV>
static void attend(thread Queries<HS> &queries, device const KV *keys, device const KV *values, uint from, uint count)
{
    float weight[PAGE][SHARE];
    uint whole = count / KEYS * KEYS;
    for (uint s = 0; s < whole; s += KEYS) score<KEYS>(queries, keys + s * HS, weight + s);
    for (uint s = whole; s < count; s++) score<1>(queries, keys + s * HS, weight + s);
    soften(queries, weight, from, count);
    for (uint s = 0; s < whole; s += KEYS) mix<KEYS>(queries, values + s * HS, weight + s);
    for (uint s = whole; s < count; s++) mix<1>(queries, values + s * HS, weight + s);
}

template <uint HS, typename KV>
kernel void flash_attention_prompt(
    device const float *q [[buffer(0)]],      // [B,nh,T,HS]
    device const KV *keys [[buffer(1)]],      // [page,nkv,PAGE,HS]
    device const KV *values [[buffer(2)]],    // [page,nkv,PAGE,HS]
    device const uint *pages [[buffer(3)]],   // [B,⌈capacity / PAGE⌉]
    device const uint *lengths [[buffer(4)]], // [B]
    device const uint *counts [[buffer(5)]],  // [B]
    device float *out [[buffer(6)]],          // [B,T,nh,HS]
    constant uint &T [[buffer(7)]],
    constant uint &nh [[buffer(8)]],
    constant uint &capacity [[buffer(9)]],
    constant uint &window [[buffer(10)]],
    constant float &scale [[buffer(11)]],
    uint3 group [[threadgroup_position_in_grid]],
    uint3 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint3 group_size [[threads_per_threadgroup]])
{
    uint b = group.z, nkv = groups.y, heads = nh / nkv;
    device const uint *row = pages_of(pages, b, capacity);
    for (uint begin = thread_index * SHARE; begin < QUERIES; begin += group_size.x * SHARE) {
        uint first = group.x * QUERIES + begin; // of this thread's queries
        if (first >= T * heads) break;
        Queries<HS> queries;
        for (uint j = 0; j < SHARE; j++) { // what is after the last query is that query again
            uint n = min(first + j, T * heads - 1), t = n / heads, head = group.y * heads + n % heads;
            queries.m[j] = -FLT_MAX; // not −∞, if no key is seen yet: exponents are never NaN
            queries.l[j] = 0.0f;
            queries.limit[j] = lengths[b] + min(t + 1, counts[b]);
            queries.from[j] = queries.limit[j] - min(queries.limit[j], window);
            for (uint d = 0; d < HS; d++) {
                queries.q[d][j] = q[((ulong(b) * nh + head) * T + t) * HS + d] * scale;
                queries.sum[d][j] = 0.0f;
            }
        }
        uint end = queries.limit[SHARE - 1]; // of what they see together
        for (uint s = queries.from[0], next = 0; s < end; s = next) {
            next = min(end, (s / PAGE + 1) * PAGE);
            ulong start = page_start(row[s / PAGE], nkv, group.y, HS) + s % PAGE * HS;
            attend(queries, keys + start, values + start, s, next - s);
        }
        for (uint j = 0; j < min(SHARE, T * heads - first); j++) {
            uint t = (first + j) / heads, head = group.y * heads + (first + j) % heads;
            for (uint d = 0; d < HS; d++)
                out[((ulong(b) * T + t) * nh + head) * HS + d] = queries.sum[d][j] / queries.l[j];
        }
    }
}

template [[host_name("flash_attention_prompt_hs64_f32")]] kernel decltype(flash_attention_prompt<64, float>) flash_attention_prompt<64, float>;
template [[host_name("flash_attention_prompt_hs64_f16")]] kernel decltype(flash_attention_prompt<64, half>) flash_attention_prompt<64, half>;
template [[host_name("flash_attention_prompt_hs128_f32")]] kernel decltype(flash_attention_prompt<128, float>) flash_attention_prompt<128, float>;
template [[host_name("flash_attention_prompt_hs128_f16")]] kernel decltype(flash_attention_prompt<128, half>) flash_attention_prompt<128, half>;
template [[host_name("flash_attention_prompt_hs256_f32")]] kernel decltype(flash_attention_prompt<256, float>) flash_attention_prompt<256, float>;
template [[host_name("flash_attention_prompt_hs256_f16")]] kernel decltype(flash_attention_prompt<256, half>) flash_attention_prompt<256, half>;
