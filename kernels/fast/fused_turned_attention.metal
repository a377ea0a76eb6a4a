// fused_turned_attention.metal — fused_decode_attention.metal for heads that are normalised or turned before they attend
//
//   keys[b,h,length] = K,  values[b,h,length] = V       where the token's Q, K and V lie in qkv[b], Q and K still to be
//                                                       normalised, where heads are, and turned (turned.h)
//   out[b,h] = Σ_s softmax(Q · keys[b,h] · scale)[s] · values[b,h,s]      for s ≤ length = lengths[b]
//
// head_norm.metal and rope.metal, too, in one kernel, for heads of 4 VECTORS channels. One threadgroup per head and row, grid
// (nh, B): a simdgroup each turns the query and the key, then all of them split the keys, the last `window` of them, and
// teams of lanes take one key at a time (turned_keys.h), a running softmax for each. They are merged at the end. nh / nkv
// neighbouring heads share keys and values, which the first of them writes. The KV cache is of type KV4, float4 or half4,
// what comes out of type Out4: halves where the next product takes them.
#include <metal_stdlib>
using namespace metal;
#include "parts/turned_heads.h"

constant constexpr uint MAX_SIMDGROUPS = 16; // that take part

template <uint VECTORS, typename KV4, typename Out4>
kernel void turned_attention(
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
    device const float *q_norm [[buffer(11)]],      // [hs]
    device const float *k_norm [[buffer(12)]],      // [hs]
    device const float *frequencies [[buffer(13)]], // [rotary / 2]
    constant uint &norms [[buffer(14)]],            // 1: heads are normalised
    constant float &epsilon [[buffer(15)]],
    constant uint &rotary [[buffer(16)]], // channels of a head that are turned, even
    constant uint &halves [[buffer(17)]], // 1: pairs (p, p + rotary / 2), else (2p, 2p + 1)
    constant float &magnitude [[buffer(18)]],
    uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint2 group_size [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint all_simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float4 sums[MAX_SIMDGROUPS][VECTORS], fresh[3][VECTORS]; // query, key, value
    threadgroup float2 softmax[MAX_SIMDGROUPS];                          // m and l
    uint threads = group_size.x, b = group.y, nh = groups.x, length = lengths[b];
    uint simdgroups = min(all_simdgroups, MAX_SIMDGROUPS);
    bool is_new = counts[b] > 0;
    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial
    uint kv_head = group.x / (nh / nkv), seen = length + is_new, begin = seen - min(seen, window);
    ulong start = page_start(0, nkv, kv_head, VECTORS), stride = page_start(1, nkv, 0, VECTORS);
    device const float4 *token = qkv + ulong(b) * (nh + 2 * nkv) * VECTORS, *query = token + group.x * VECTORS;
    device const float4 *key = token + (nh + kv_head) * VECTORS, *value = key + nkv * VECTORS;
    device const uint *row = pages_of(pages, b, capacity);
    uint share = (length - begin + simdgroups - 1) / simdgroups;
    uint first = min(length, begin + simdgroup * share), last = min(length, first + share);
    uint page = look_up(row, first, last, lane); // what needs no waiting for is read first
    Turning turning = {norms == 1, halves == 1, rotary / 2, frequencies, float(length), magnitude, epsilon};
    for (uint i = simdgroup; i < 3; i += all_simdgroups)
        if (i < 2)
            turn_head<4 * VECTORS>(turning, i ? key : query, i ? k_norm : q_norm, fresh[i], lane, lanes);
        else
            for (uint c = lane; c < VECTORS; c += lanes) fresh[i][c] = value[c];
    threadgroup_barrier(mem_flags::mem_threadgroup); // fresh: the writes above → the reads below
    TurnedHeads<KV4> heads = {fresh[0], fresh[1], fresh[2], keys + start, values + start, row, stride, scale * LOG2_E};
    bool is_mine = is_new && simdgroup == simdgroups - 1;
    if (simdgroup < simdgroups)
        look_through<VECTORS, 1>(heads, first, last, is_mine, page, lane, lanes, sums[simdgroup], softmax + simdgroup);
    threadgroup_barrier(mem_flags::mem_threadgroup); // sums, softmax: the writes above → the reads below
    for (uint c = thread_index; c < VECTORS; c += threads) {
        float2 all;
        float4 sum = merged<1, VECTORS>(sums[0], softmax, simdgroups, 0, c, all);
        store(out + (ulong(b) * nh + group.x) * VECTORS + c, sum * (1.0f / all[1]));
    }
    if (is_new && length < capacity && group.x % (nh / nkv) == 0) {
        ulong to = start + token_start<VECTORS>(row, stride, length);
        for (uint c = thread_index; c < VECTORS; c += threads) {
            store(keys + to + c, kept(heads.keys, fresh[1][c]));
            store(values + to + c, kept(heads.values, fresh[2][c]));
        }
    }
}

template [[host_name("turned_attention_hs64_f32")]] kernel decltype(turned_attention<16, float4, float4>) turned_attention<16, float4, float4>;
template [[host_name("turned_attention_hs64_f16")]] kernel decltype(turned_attention<16, half4, float4>) turned_attention<16, half4, float4>;
template [[host_name("turned_attention_hs64_halves_f32")]] kernel decltype(turned_attention<16, float4, half4>) turned_attention<16, float4, half4>;
template [[host_name("turned_attention_hs64_halves_f16")]] kernel decltype(turned_attention<16, half4, half4>) turned_attention<16, half4, half4>;
template [[host_name("turned_attention_hs128_f32")]] kernel decltype(turned_attention<32, float4, float4>) turned_attention<32, float4, float4>;
template [[host_name("turned_attention_hs128_f16")]] kernel decltype(turned_attention<32, half4, float4>) turned_attention<32, half4, float4>;
template [[host_name("turned_attention_hs128_halves_f32")]] kernel decltype(turned_attention<32, float4, half4>) turned_attention<32, float4, half4>;
template [[host_name("turned_attention_hs128_halves_f16")]] kernel decltype(turned_attention<32, half4, half4>) turned_attention<32, half4, half4>;
template [[host_name("turned_attention_hs256_f32")]] kernel decltype(turned_attention<64, float4, float4>) turned_attention<64, float4, float4>;
template [[host_name("turned_attention_hs256_f16")]] kernel decltype(turned_attention<64, half4, float4>) turned_attention<64, half4, float4>;
template [[host_name("turned_attention_hs256_halves_f32")]] kernel decltype(turned_attention<64, float4, half4>) turned_attention<64, float4, half4>;
template [[host_name("turned_attention_hs256_halves_f16")]] kernel decltype(turned_attention<64, half4, half4>) turned_attention<64, half4, half4>;
