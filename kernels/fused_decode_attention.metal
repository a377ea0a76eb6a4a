// fused_decode_attention.metal — one new token per row: its key and value into the cache, and its attention
//
//   keys[b,h,length] = K,  values[b,h,length] = V       where the token's Q, K and V lie in qkv[b]
//   out[b,h] = Σ_s softmax(Q · keys[b,h] · scale)[s] · values[b,h,s]      for s ≤ length = lengths[b]
//
// split_heads (heads.metal) and flash_attention_hs64.metal in one kernel, for decoding with heads of 64
// channels. One threadgroup per head and row, grid (nh, B): its simdgroups share out the keys, and SHARE
// lanes together take one key at a time, a running softmax for each such team (a maximum m, the sum l of
// exp(score − m), and the weighted sum of V). The teams are merged at the end. The KV cache is of type KV4,
// float4 or half4, what comes out of type Out4: halves where the next product takes them.
#include <metal_stdlib>
using namespace metal;

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint VECTORS = 16; // of four channels, per head
constant constexpr uint SHARE = 8;    // lanes of a team
constant constexpr uint PARTS = VECTORS / SHARE;
constant constexpr uint KEYS = 2;                                             // that a team reads at once
constant constexpr uint TEAMS = SIMD_WIDTH < SHARE ? 1 : SIMD_WIDTH / SHARE; // in a simdgroup
constant constexpr uint MAX_SIMDGROUPS = 16; // that take part

// The softmax of some keys so far, and a lane's part of their weighted values.
struct Running {
    float m, l;
    float4 sum[PARTS];
};

// Both as if they had run through their keys one after the other.
static void merge(thread Running &a, Running b)
{
    float m = max(a.m, b.m);
    float left = a.m == -INFINITY ? 0.0f : exp(a.m - m), right = b.m == -INFINITY ? 0.0f : exp(b.m - m);
    a.l = a.l * left + b.l * right;
    for (uint i = 0; i < PARTS; i++) a.sum[i] = a.sum[i] * left + b.sum[i] * right;
    a.m = m;
}

// Where a head's query is, the new key and value, and the cached ones.
template <typename KV4> struct Head {
    device const float4 *query, *key, *value; // [16]
    device const KV4 *keys, *values;          // [length,16]
    uint length;
    float scale;
};

static void store(device float4 *to, float4 value) { *to = value; }
static void store(device half4 *to, float4 value) { *to = half4(value); }

// A value as a cache of this type keeps it.
static float4 kept(device const float4 *, float4 value) { return value; }
static float4 kept(device const half4 *, float4 value) { return float4(half4(value)); }

// Vector c of key or value s, of which the new one is not read from the cache: it is only just written there.
template <typename KV4>
static float4 read(device const KV4 *cached, device const float4 *fresh, uint s, uint length, uint c)
{
    return s < length ? float4(cached[ulong(s) * VECTORS + c]) : kept(cached, fresh[c]);
}

// The keys begin … end − 1, by the teams of a whole simdgroup; this lane's part of what its team has seen.
template <typename KV4>
static Running run_through(Head<KV4> head, uint begin, uint end, uint team, uint lane)
{
    Running running;
    running.m = -INFINITY;
    running.l = 0.0f;
    float4 query[PARTS];
    for (uint i = 0; i < PARTS; i++) {
        query[i] = head.query[lane + i * SHARE] * head.scale;
        running.sum[i] = 0.0f;
    }
    for (uint first = begin; first < end; first += KEYS * TEAMS) { // as often for every team: they shuffle
        Running one[KEYS];                                         // each key alone
        for (uint j = 0; j < KEYS; j++) {
            uint s = min(first + j * TEAMS + team, end - 1);
            one[j].m = 0.0f;
            one[j].l = 1.0f;
            for (uint i = 0; i < PARTS; i++) {
                one[j].sum[i] = read(head.values, head.value, s, head.length, lane + i * SHARE);
                one[j].m += dot(query[i], read(head.keys, head.key, s, head.length, lane + i * SHARE));
            }
        }
        for (uint j = 0; j < KEYS; j++) {
            for (uint distance = 1; distance < SHARE; distance *= 2)
                one[j].m += simd_shuffle_xor(one[j].m, ushort(distance));
            if (first + j * TEAMS + team < end) merge(running, one[j]);
        }
    }
    return running;
}

// The same of the lane that is `distance` away.
static Running other(Running running, ushort distance)
{
    running.m = simd_shuffle_xor(running.m, distance);
    running.l = simd_shuffle_xor(running.l, distance);
    for (uint i = 0; i < PARTS; i++)
        for (uint j = 0; j < 4; j++) running.sum[i][j] = simd_shuffle_xor(running.sum[i][j], distance);
    return running;
}

// All of it by one lane, where a simdgroup is not whole or has but one. Returns m and l.
template <typename KV4>
static float2 run_alone(Head<KV4> head, uint begin, uint end, threadgroup float4 *sums)
{
    float m = -INFINITY, l = 0.0f;
    for (uint c = 0; c < VECTORS; c++) sums[c] = 0.0f;
    for (uint s = begin; s < end; s++) {
        float score = 0.0f;
        for (uint c = 0; c < VECTORS; c++)
            score += dot(head.query[c], read(head.keys, head.key, s, head.length, c)) * head.scale;
        float largest = max(m, score), weight = exp(score - largest);
        float shrink = m == -INFINITY ? 0.0f : exp(m - largest);
        for (uint c = 0; c < VECTORS; c++)
            sums[c] = sums[c] * shrink + read(head.values, head.value, s, head.length, c) * weight;
        l = l * shrink + weight;
        m = largest;
    }
    return float2(m, l);
}

template <typename KV4, typename Out4>
kernel void decode_attention_hs64(
    device const float4 *qkv [[buffer(0)]],   // [B,3,nh,16]
    device const uint *lengths [[buffer(1)]], // [B]
    device const uint *counts [[buffer(2)]],  // [B] 1, or 0 for a row that is done
    device KV4 *keys [[buffer(3)]],           // [B,nh,capacity,16]
    device KV4 *values [[buffer(4)]],         // [B,nh,capacity,16]
    device Out4 *out [[buffer(5)]],           // [B,nh,16]
    constant uint &capacity [[buffer(6)]],
    constant float &scale [[buffer(7)]],
    uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint2 group_size [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint all_simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float4 sums[MAX_SIMDGROUPS][VECTORS];
    threadgroup float2 softmax[MAX_SIMDGROUPS]; // m and l
    uint threads = group_size.x, b = group.y, nh = groups.x, length = lengths[b];
    uint end = length + min(counts[b], 1u), simdgroups = min(all_simdgroups, MAX_SIMDGROUPS);
    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial
    ulong start = (ulong(b) * nh + group.x) * capacity * VECTORS;
    device const float4 *query = qkv + (ulong(b) * 3 * nh + group.x) * VECTORS;
    device const float4 *key = query + nh * VECTORS, *value = key + nh * VECTORS;
    if (length < min(end, capacity))
        for (uint c = thread_index; c < VECTORS; c += threads) {
            store(keys + start + ulong(length) * VECTORS + c, key[c]);
            store(values + start + ulong(length) * VECTORS + c, value[c]);
        }

    for (uint i = simdgroups * VECTORS + thread_index; i < MAX_SIMDGROUPS * VECTORS; i += threads) {
        sums[i / VECTORS][i % VECTORS] = 0.0f; // of simdgroups that are not there
        if (i % VECTORS == 0) softmax[i / VECTORS] = float2(-INFINITY, 0.0f);
    }
    Head<KV4> head = {query, key, value, keys + start, values + start, length, scale};
    uint share = (end + simdgroups - 1) / simdgroups;
    uint first = min(end, simdgroup * share), last = min(end, first + share);
    if (simdgroup < simdgroups && SIMD_WIDTH > SHARE && lanes == SIMD_WIDTH) {
        Running running = run_through(head, first, last, lane / SHARE, lane % SHARE);
        for (uint distance = SHARE; distance < SIMD_WIDTH; distance *= 2)
            merge(running, other(running, ushort(distance)));
        if (lane == 0) softmax[simdgroup] = float2(running.m, running.l);
        if (lane < SHARE)
            for (uint i = 0; i < PARTS; i++) sums[simdgroup][lane + i * SHARE] = running.sum[i];
    } else if (simdgroup < simdgroups && lane == 0) {
        softmax[simdgroup] = run_alone(head, first, last, sums[simdgroup]);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // sums, softmax: the writes above → the reads below
    float largest = -INFINITY;
    for (uint i = 0; i < MAX_SIMDGROUPS; i++) largest = max(largest, softmax[i][0]);
    for (uint c = thread_index; c < VECTORS; c += threads) {
        float4 sum = 0.0f;
        float total = 0.0f;
        for (uint i = 0; i < MAX_SIMDGROUPS; i++) {
            float shrink = softmax[i][0] == -INFINITY ? 0.0f : exp(softmax[i][0] - largest);
            total += softmax[i][1] * shrink;
            sum += sums[i][c] * shrink;
        }
        store(out + (ulong(b) * nh + group.x) * VECTORS + c, sum / total);
    }
}

template [[host_name("decode_attention_hs64_f32")]] kernel decltype(decode_attention_hs64<float4, float4>) decode_attention_hs64<float4, float4>;
template [[host_name("decode_attention_hs64_f16")]] kernel decltype(decode_attention_hs64<half4, float4>) decode_attention_hs64<half4, float4>;
template [[host_name("decode_attention_hs64_halves_f32")]] kernel decltype(decode_attention_hs64<float4, half4>) decode_attention_hs64<float4, half4>;
template [[host_name("decode_attention_hs64_halves_f16")]] kernel decltype(decode_attention_hs64<half4, half4>) decode_attention_hs64<half4, half4>;
