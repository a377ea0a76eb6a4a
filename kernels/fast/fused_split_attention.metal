// fused_split_attention.metal — fused_turned_attention.metal for long contexts: the keys split over threadgroups
//
//   split_attention   keys[b,h,length] = K,  values[b,h,length] = V       as turned_attention writes them, and of each
//                     split of the keys m = max_s (Q · keys[b,h,s] · scale · log2 e),  l = Σ_s 2^(score[s] − m),
//                     sums = Σ_s 2^(score[s] − m) · values[b,h,s]
//   merge_splits      out[b,h] = Σ_splits 2^(m − max m) · sums / Σ_splits 2^(m − max m) · l
//
// A threadgroup takes one split of a row's keys for COUNT of the nh / nkv heads that share them, so that they are read
// once for all of those, grid (nkv ⌈nh / nkv / COUNT⌉, splits, B). Its simdgroups divide the split, and teams of lanes
// have a key each (turned_keys.h). merge_splits has one threadgroup per head and row, grid (nh, B).
#include <metal_stdlib>
using namespace metal;
#include "parts/turned_heads.h"

constant constexpr uint MAX_SIMDGROUPS = 8; // host: of split_attention that take part
constant constexpr uint MAX_SHARERS = 256;  // host: threads that add up the splits' sums

template <uint VECTORS, uint COUNT, typename KV4>
kernel void split_attention(
    device const float4 *qkv [[buffer(0)]],   // [B,nh + 2 nkv,VECTORS]
    device const uint *lengths [[buffer(1)]], // [B]
    device const uint *counts [[buffer(2)]],  // [B] 1, or 0 for a row that is done
    device KV4 *keys [[buffer(3)]],           // [page,nkv,PAGE,VECTORS]
    device KV4 *values [[buffer(4)]],         // [page,nkv,PAGE,VECTORS]
    device const uint *pages [[buffer(5)]],   // [B,⌈capacity / PAGE⌉]
    device float4 *split_sums [[buffer(6)]],  // [B,nh,splits,VECTORS]
    device float2 *split_softmax [[buffer(7)]], // [B,nh,splits] m and l
    constant uint &nh [[buffer(8)]],
    constant uint &nkv [[buffer(9)]],
    constant uint &capacity [[buffer(10)]],
    constant uint &window [[buffer(11)]],
    constant float &scale [[buffer(12)]],
    device const float *q_norm [[buffer(13)]],      // [hs]
    device const float *k_norm [[buffer(14)]],      // [hs]
    device const float *frequencies [[buffer(15)]], // [rotary / 2]
    constant uint &norms [[buffer(16)]],            // 1: heads are normalised
    constant float &epsilon [[buffer(17)]],
    constant uint &rotary [[buffer(18)]], // channels of a head that are turned, even
    constant uint &halves [[buffer(19)]], // 1: pairs (p, p + rotary / 2), else (2p, 2p + 1)
    constant float &magnitude [[buffer(20)]],
    uint3 group [[threadgroup_position_in_grid]],
    uint3 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint3 group_size [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint all_simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float4 sums[MAX_SIMDGROUPS][COUNT][VECTORS], fresh[COUNT + 2][VECTORS]; // queries, key, value
    threadgroup float2 softmax[MAX_SIMDGROUPS][COUNT]; // m and l
    uint threads = group_size.x, split = group.y, splits = groups.y, b = group.z, length = lengths[b];
    uint simdgroups = min(all_simdgroups, MAX_SIMDGROUPS);
    bool is_new = counts[b] > 0;
    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial
    // This threadgroup's heads, and the cached tokens of its split and of this simdgroup.
    uint sharing = nh / nkv, turns = groups.x / nkv, kv_head = group.x / turns, turn = group.x % turns;
    uint first_head = kv_head * sharing + turn * COUNT, count = min(COUNT, sharing - turn * COUNT);
    uint seen = length + is_new, begin = seen - min(seen, window);
    uint split_share = (length - begin + splits - 1) / splits;
    uint split_first = min(length, begin + split * split_share), split_last = min(length, split_first + split_share);
    uint share = (split_last - split_first + simdgroups - 1) / simdgroups;
    uint first = min(split_last, split_first + simdgroup * share), last = min(split_last, first + share);
    bool has_new = is_new && split == splits - 1, is_mine = has_new && simdgroup == simdgroups - 1;
    ulong start = page_start(0, nkv, kv_head, VECTORS), stride = page_start(1, nkv, 0, VECTORS);
    device const float4 *token = qkv + ulong(b) * (nh + 2 * nkv) * VECTORS;
    device const float4 *key = token + (nh + kv_head) * VECTORS, *value = key + nkv * VECTORS;
    device const uint *row = pages_of(pages, b, capacity);
    uint page = look_up(row, first, last, lane); // what needs no waiting for is read first
    Turning turning = {norms == 1, halves == 1, rotary / 2, frequencies, float(length), magnitude, epsilon};
    for (uint i = simdgroup; i < COUNT + 2; i += all_simdgroups)
        if (i < COUNT)
            turn_head<4 * VECTORS>(turning, token + (first_head + min(i, count - 1)) * VECTORS, q_norm, fresh[i], lane,
                                   lanes);
        else if (i == COUNT)
            turn_head<4 * VECTORS>(turning, key, k_norm, fresh[i], lane, lanes);
        else
            for (uint c = lane; c < VECTORS; c += lanes) fresh[i][c] = value[c];
    threadgroup_barrier(mem_flags::mem_threadgroup); // fresh: the writes above → the reads below
    TurnedHeads<KV4> heads = {fresh[0], fresh[COUNT], fresh[COUNT + 1], keys + start, values + start, row, stride,
                              scale * LOG2_E};
    if (simdgroup < simdgroups)
        look_through<VECTORS, COUNT>(heads, first, last, is_mine, page, lane, lanes, sums[simdgroup][0], softmax[simdgroup]);
    threadgroup_barrier(mem_flags::mem_threadgroup); // sums, softmax: the writes above → the reads below
    for (uint i = thread_index; i < count * VECTORS; i += threads) {
        uint h = i / VECTORS, c = i % VECTORS;
        ulong to = (ulong(b) * nh + first_head + h) * splits + split;
        float2 all;
        split_sums[to * VECTORS + c] = merged<COUNT, VECTORS>(sums[0][0], softmax[0], simdgroups, h, c, all);
        if (c == 0) split_softmax[to] = all;
    }
    if (has_new && length < capacity && turn == 0) {
        ulong to = start + token_start<VECTORS>(row, stride, length);
        for (uint c = thread_index; c < VECTORS; c += threads) {
            store(keys + to + c, kept(heads.keys, fresh[COUNT][c]));
            store(values + to + c, kept(heads.values, fresh[COUNT + 1][c]));
        }
    }
}

template <typename Out4>
kernel void merge_splits(
    device const float4 *sums [[buffer(0)]],    // [B,nh,splits,vectors]
    device const float2 *softmax [[buffer(1)]], // [B,nh,splits] m and l
    device Out4 *out [[buffer(2)]],             // [B,nh,vectors]
    constant uint &splits [[buffer(3)]],
    constant uint &vectors [[buffer(4)]],
    uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint2 group_size [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    threadgroup float4 part[MAX_SHARERS];
    threadgroup float part_total[MAX_SHARERS];
    uint threads = min(group_size.x, MAX_SHARERS), sharers = max(1u, threads / vectors);
    ulong head = ulong(group.y) * groups.x + group.x;
    sums += head * splits * vectors, softmax += head * splits;
    uint lanes = min(simd_width, group_size.x - simdgroup * simd_width); // the last one may be partial
    float largest = -FLT_MAX;
    for (uint s = lane; s < splits; s += lanes) largest = max(largest, softmax[s][0]);
    largest = simd_max(largest);
    // Sharer i has the splits i, i + sharers …
    for (uint i = thread_index; i < sharers * vectors; i += group_size.x) {
        float4 sum = float4(0.0f);
        float total = 0.0f;
        for (uint s = i / vectors; s < splits; s += sharers) {
            float2 of_split = softmax[s];
            float weight = fast::exp2(of_split[0] - largest);
            sum += sums[ulong(s) * vectors + i % vectors] * weight;
            total += of_split[1] * weight;
        }
        part[i] = sum, part_total[i] = total;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // part, part_total: the writes above → the reads below
    for (uint c = thread_index; c < vectors; c += group_size.x) {
        float4 sum = part[c];
        float total = part_total[c];
        for (uint i = 1; i < sharers; i++) sum += part[i * vectors + c], total += part_total[i * vectors + c];
        store(out + head * vectors + c, sum * (1.0f / total));
    }
}

template [[host_name("merge_splits")]] kernel decltype(merge_splits<float4>) merge_splits<float4>;
template [[host_name("merge_splits_f16")]] kernel decltype(merge_splits<half4>) merge_splits<half4>;
template [[host_name("split_attention_hs64_f32")]] kernel decltype(split_attention<16, 1, float4>) split_attention<16, 1, float4>;
template [[host_name("split_attention_hs64_f16")]] kernel decltype(split_attention<16, 1, half4>) split_attention<16, 1, half4>;
template [[host_name("split_attention_hs64_pair_f32")]] kernel decltype(split_attention<16, 2, float4>) split_attention<16, 2, float4>;
template [[host_name("split_attention_hs64_pair_f16")]] kernel decltype(split_attention<16, 2, half4>) split_attention<16, 2, half4>;
template [[host_name("split_attention_hs64_fours_f32")]] kernel decltype(split_attention<16, 4, float4>) split_attention<16, 4, float4>;
template [[host_name("split_attention_hs64_fours_f16")]] kernel decltype(split_attention<16, 4, half4>) split_attention<16, 4, half4>;
template [[host_name("split_attention_hs128_f32")]] kernel decltype(split_attention<32, 1, float4>) split_attention<32, 1, float4>;
template [[host_name("split_attention_hs128_f16")]] kernel decltype(split_attention<32, 1, half4>) split_attention<32, 1, half4>;
template [[host_name("split_attention_hs128_pair_f32")]] kernel decltype(split_attention<32, 2, float4>) split_attention<32, 2, float4>;
template [[host_name("split_attention_hs128_pair_f16")]] kernel decltype(split_attention<32, 2, half4>) split_attention<32, 2, half4>;
template [[host_name("split_attention_hs128_fours_f32")]] kernel decltype(split_attention<32, 4, float4>) split_attention<32, 4, float4>;
template [[host_name("split_attention_hs128_fours_f16")]] kernel decltype(split_attention<32, 4, half4>) split_attention<32, 4, half4>;
template [[host_name("split_attention_hs256_f32")]] kernel decltype(split_attention<64, 1, float4>) split_attention<64, 1, float4>;
template [[host_name("split_attention_hs256_f16")]] kernel decltype(split_attention<64, 1, half4>) split_attention<64, 1, half4>;
template [[host_name("split_attention_hs256_pair_f32")]] kernel decltype(split_attention<64, 2, float4>) split_attention<64, 2, float4>;
template [[host_name("split_attention_hs256_pair_f16")]] kernel decltype(split_attention<64, 2, half4>) split_attention<64, 2, half4>;
