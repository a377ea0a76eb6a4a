// fused_decode_attention.metal — one new token per row: its key and value into the cache, and its attention
//
//   keys[b,h,length] = K,  values[b,h,length] = V       where the token's Q, K and V lie in qkv[b]
//   out[b,h] = Σ_s softmax(Q · keys[b,h] · scale)[s] · values[b,h,s]      for s ≤ length = lengths[b]
//
// split_heads (heads.metal) and flash_attention_shared.metal in one kernel, for decoding with heads of 4 VECTORS
// channels. One threadgroup per head and row, grid (nh, B): its simdgroups share out the keys, the last `window` of
// them, and SHARE lanes together take one key at a time, a running softmax for each such team. The teams are merged at
// the end. nh / nkv neighbouring heads share keys and values, which the first of them writes. The KV cache is of type
// KV4, float4 or half4, what comes out of type Out4: halves where the next product takes them.
#include <metal_stdlib>
using namespace metal;
#include "parts/pages.h"
#include "parts/running_softmax.h"
#include "parts/simd_width.h"

constant constexpr uint SHARE = 8;                                           // lanes of a team
constant constexpr uint TEAMS = SIMD_WIDTH < SHARE ? 1 : SIMD_WIDTH / SHARE; // in a simdgroup
constant constexpr uint MAX_SIMDGROUPS = 16;                                 // host: that take part
constant constexpr float LOG2_E = 1.44269504f;

// Where a head's query is, the new key and value, and the cached ones.
template <typename KV4> struct Head {
    device const float4 *query, *key, *value; // [VECTORS]
    device const KV4 *keys, *values;          // its own of page 0
    device const uint *pages;                 // `stride` vectors apart
    ulong stride;
    float scale; // of scores to the base 2
};

static void store(device float4 *to, float4 value) { *to = value; }
static void store(device half4 *to, float4 value) { *to = half4(value); }

// A value as a cache of this type keeps it; in halves NaN if it is too large for them, as in heads.metal.
static float4 kept(device const float4 *, float4 value) { return value; }
static float4 kept(device const half4 *, float4 value)
{
    float4 rounded = float4(half4(value));
    return select(rounded, float4(NAN), isinf(rounded));
}

static float team_sum(float value)
{
    for (uint distance = 1; distance < SHARE; distance *= 2) value += simd_shuffle_xor(value, ushort(distance));
    return value;
}

// The cached keys begin … end − 1, and the new one if it `is_mine`, by the teams of a whole simdgroup; this lane's
// part of what its team has seen. What needs no waiting for is read first.
template <uint VECTORS, typename KV4>
static Running<VECTORS / SHARE> run_through(Head<KV4> head, uint begin, uint end, bool is_mine, uint team, uint lane)
{
    constexpr uint PARTS = VECTORS / SHARE, KEYS = 8 / PARTS; // that a team reads at once
    constexpr uint LOOKED_UP = (SIMD_WIDTH > 1 ? SIMD_WIDTH - 1 : 1) * PAGE; // tokens whose pages the lanes look up
    Running<PARTS> running, fresh;
    running.m = -FLT_MAX, running.l = 0.0f;
    fresh.m = 0.0f, fresh.l = 1.0f;
    float4 query[PARTS];
    for (uint i = 0; i < PARTS; i++) {
        query[i] = head.query[lane + i * SHARE] * head.scale;
        running.sum[i] = float4(0.0f);
        fresh.sum[i] = kept(head.values, head.value[lane + i * SHARE]);
        fresh.m += dot(query[i], kept(head.keys, head.key[lane + i * SHARE]));
    }
    for (uint from = begin; from < end; from += LOOKED_UP) {
        uint last = min(from + LOOKED_UP, end) - 1, first_page = from / PAGE;
        uint page = head.pages[min(first_page + team * SHARE + lane, last / PAGE)]; // one for each lane
        for (uint first = from; first <= last; first += KEYS * TEAMS) { // as often for every team: they shuffle
            Running<PARTS> one[KEYS];                                   // each key alone
            for (uint j = 0; j < KEYS; j++) {
                uint s = min(first + j * TEAMS + team, last);
                ulong start = simd_shuffle(page, ushort(s / PAGE - first_page)) * head.stride + s % PAGE * VECTORS + lane;
                one[j].m = 0.0f, one[j].l = 1.0f;
                for (uint i = 0; i < PARTS; i++) {
                    one[j].sum[i] = float4(head.values[start + i * SHARE]);
                    one[j].m += dot(query[i], float4(head.keys[start + i * SHARE]));
                }
            }
            for (uint j = 0; j < KEYS; j++) {
                one[j].m = team_sum(one[j].m);
                if (first + j * TEAMS + team <= last) merge(running, one[j]);
            }
        }
    }
    fresh.m = team_sum(fresh.m);
    if (is_mine && team == 0) merge(running, fresh);
    return running;
}

// All of it by one lane, where a simdgroup is not whole or has but one. Returns m and l.
template <uint VECTORS, typename KV4>
static float2 run_alone(Head<KV4> head, uint begin, uint end, bool is_mine, threadgroup float4 *sums)
{
    float m = -FLT_MAX, l = 0.0f;
    for (uint c = 0; c < VECTORS; c++) sums[c] = float4(0.0f);
    for (uint s = begin; s < end + is_mine; s++) {
        bool is_new = s == end;
        ulong start = is_new ? 0 : token_start<VECTORS>(head.pages, head.stride, s);
        device const KV4 *key = head.keys + start, *value = head.values + start;
        float score = 0.0f;
        for (uint c = 0; c < VECTORS; c++)
            score += dot(head.query[c], is_new ? kept(key, head.key[c]) : float4(key[c])) * head.scale;
        float largest = max(m, score), weight = fast::exp2(score - largest), shrink = fast::exp2(m - largest);
        for (uint c = 0; c < VECTORS; c++)
            sums[c] = sums[c] * shrink + (is_new ? kept(value, head.value[c]) : float4(value[c])) * weight;
        l = l * shrink + weight;
        m = largest;
    }
    return float2(m, l);
}

template <uint VECTORS, typename KV4, typename Out4>
kernel void decode_attention(
    device const float4 *qkv [[buffer(0)]],   // [B,nh + 2 nkv,VECTORS]
    device const uint *lengths [[buffer(1)]], // [B]
    device const uint *counts [[buffer(2)]],  // [B] 1, or 0 for a row that is done
    device KV4 *keys [[buffer(3)]],           // [page,nkv,PAGE,VECTORS]
    device KV4 *values [[buffer(4)]],         // [page,nkv,PAGE,VECTORS]
    device const uint *pages [[buffer(5)]],   // [B,⌈capacity / PAGE⌉]
    device Out4 *out [[buffer(6)]],           // [B,nh,VECTORS]
    constant uint &nkv [[buffer(7)]],
    constant uint &capacity [[buffer(8)]],
    constant uint &window [[buffer(9)]],
    constant float &scale [[buffer(10)]],
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
    threadgroup float shrink[MAX_SIMDGROUPS];
    uint threads = group_size.x, b = group.y, nh = groups.x, length = lengths[b];
    uint simdgroups = min(all_simdgroups, MAX_SIMDGROUPS);
    bool is_new = counts[b] > 0;
    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial
    uint kv_head = group.x / (nh / nkv), seen = length + is_new, begin = seen - min(seen, window);
    ulong start = page_start(0, nkv, kv_head, VECTORS), stride = page_start(1, nkv, 0, VECTORS);
    device const float4 *token = qkv + ulong(b) * (nh + 2 * nkv) * VECTORS, *query = token + group.x * VECTORS;
    device const float4 *key = token + (nh + kv_head) * VECTORS, *value = key + nkv * VECTORS;
    for (uint i = simdgroups * VECTORS + thread_index; i < MAX_SIMDGROUPS * VECTORS; i += threads) {
        sums[i / VECTORS][i % VECTORS] = 0.0f; // of simdgroups that are not there
        if (i % VECTORS == 0) softmax[i / VECTORS] = float2(-FLT_MAX, 0.0f);
    }
    device const uint *row = pages_of(pages, b, capacity);
    Head<KV4> head = {query, key, value, keys + start, values + start, row, stride, scale * LOG2_E};
    uint share = (length - begin + simdgroups - 1) / simdgroups;
    uint first = min(length, begin + simdgroup * share), last = min(length, first + share);
    bool is_mine = is_new && simdgroup == simdgroups - 1;
    if (simdgroup < simdgroups && SIMD_WIDTH > SHARE && lanes == SIMD_WIDTH) {
        auto running = run_through<VECTORS>(head, first, last, is_mine, lane / SHARE, lane % SHARE);
        for (uint distance = SHARE; distance < SIMD_WIDTH; distance *= 2)
            merge(running, other(running, ushort(distance)));
        if (lane == 0) softmax[simdgroup] = float2(running.m, running.l);
        if (lane < SHARE)
            for (uint i = 0; i < VECTORS / SHARE; i++) sums[simdgroup][lane + i * SHARE] = running.sum[i];
    } else if (simdgroup < simdgroups && lane == 0) {
        softmax[simdgroup] = run_alone<VECTORS>(head, first, last, is_mine, sums[simdgroup]);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // sums, softmax: the writes above → the reads below
    for (uint i = thread_index; i < MAX_SIMDGROUPS; i += threads) {
        float largest = softmax[0][0];
        for (uint j = 1; j < MAX_SIMDGROUPS; j++) largest = max(largest, softmax[j][0]);
        shrink[i] = fast::exp2(softmax[i][0] - largest);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // shrink: the writes above → the reads below
    for (uint c = thread_index; c < VECTORS; c += threads) {
        float4 sum = float4(0.0f);
        float total = 0.0f;
        for (uint i = 0; i < MAX_SIMDGROUPS; i++) {
            total += softmax[i][1] * shrink[i];
            sum += sums[i][c] * shrink[i];
        }
        store(out + (ulong(b) * nh + group.x) * VECTORS + c, sum * (1.0f / total));
    }
    if (is_new && length < capacity && group.x % (nh / nkv) == 0) {
        ulong to = start + token_start<VECTORS>(row, stride, length);
        for (uint c = thread_index; c < VECTORS; c += threads) {
            store(keys + to + c, kept(head.keys, key[c]));
            store(values + to + c, kept(head.values, value[c]));
        }
    }
}

template [[host_name("decode_attention_hs64_f32")]] kernel decltype(decode_attention<16, float4, float4>) decode_attention<16, float4, float4>;
template [[host_name("decode_attention_hs64_f16")]] kernel decltype(decode_attention<16, half4, float4>) decode_attention<16, half4, float4>;
template [[host_name("decode_attention_hs64_halves_f32")]] kernel decltype(decode_attention<16, float4, half4>) decode_attention<16, float4, half4>;
template [[host_name("decode_attention_hs64_halves_f16")]] kernel decltype(decode_attention<16, half4, half4>) decode_attention<16, half4, half4>;
template [[host_name("decode_attention_hs128_f32")]] kernel decltype(decode_attention<32, float4, float4>) decode_attention<32, float4, float4>;
template [[host_name("decode_attention_hs128_f16")]] kernel decltype(decode_attention<32, half4, float4>) decode_attention<32, half4, float4>;
template [[host_name("decode_attention_hs128_halves_f32")]] kernel decltype(decode_attention<32, float4, half4>) decode_attention<32, float4, half4>;
template [[host_name("decode_attention_hs128_halves_f16")]] kernel decltype(decode_attention<32, half4, half4>) decode_attention<32, half4, half4>;
template [[host_name("decode_attention_hs256_f32")]] kernel decltype(decode_attention<64, float4, float4>) decode_attention<64, float4, float4>;
template [[host_name("decode_attention_hs256_f16")]] kernel decltype(decode_attention<64, half4, float4>) decode_attention<64, half4, float4>;
template [[host_name("decode_attention_hs256_halves_f32")]] kernel decltype(decode_attention<64, float4, half4>) decode_attention<64, float4, half4>;
template [[host_name("decode_attention_hs256_halves_f16")]] kernel decltype(decode_attention<64, half4, half4>) decode_attention<64, half4, half4>;
