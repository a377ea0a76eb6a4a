// fused_decode_attention.metal — one new token per row: its key and value into the cache, and its attention
//
//   keys[b,h,length] = K,  values[b,h,length] = V       where the token's Q, K and V lie in qkv[b]
//   out[b,h] = Σ_s softmax(Q · keys[b,h] · scale)[s] · values[b,h,s]      for s ≤ length = lengths[b]
//
// split_heads (heads.metal) and flash_attention_shared.metal in one kernel, for decoding with heads of 4 VECTORS
// channels. One threadgroup per head and row, grid (nh, B): its simdgroups split the keys, the last `window` of
// them, and SHARE lanes together take one key at a time, a running softmax for each such team. The teams are merged at
// the end. nh / nkv neighbouring heads share keys and values, which the first of them writes. The KV cache is of type
// KV4, float4 or half4, what comes out of type Out4: halves where the next product takes them.
#include <metal_stdlib>
using namespace metal;
#include "parts/decode_keys.h"

constant constexpr uint MAX_SIMDGROUPS = 16; // host: that take part

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
    Heads<device const float4 *, KV4> heads = {query, key, value, keys + start, values + start, row, stride, scale * LOG2_E};
    uint share = (length - begin + simdgroups - 1) / simdgroups;
    uint first = min(length, begin + simdgroup * share), last = min(length, first + share);
    bool is_mine = is_new && simdgroup == simdgroups - 1;
    if (simdgroup < simdgroups && SIMD_WIDTH > SHARE && lanes == SIMD_WIDTH) {
        Running<VECTORS / SHARE> running = run_through<VECTORS>(heads, first, last, is_mine, lane / SHARE, lane % SHARE);
        for (uint distance = SHARE; distance < SIMD_WIDTH; distance *= 2)
            merge(running, other(running, ushort(distance)));
        if (lane == 0) softmax[simdgroup] = float2(running.m, running.l);
        if (lane < SHARE)
            for (uint i = 0; i < VECTORS / SHARE; i++) sums[simdgroup][lane + i * SHARE] = running.sum[i];
    } else if (simdgroup < simdgroups && lane == 0) {
        softmax[simdgroup] = run_alone<VECTORS>(heads, 0, first, last, is_mine, sums[simdgroup]);
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
            store(keys + to + c, kept(heads.keys, key[c]));
            store(values + to + c, kept(heads.values, value[c]));
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
