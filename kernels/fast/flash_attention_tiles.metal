// flash_attention_tiles.metal — flash_attention_shared.metal by the matrix units, in halves, for prompts
//
//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h
//
// One threadgroup per 64 queries, with heads of 256 channels per 32, grid (⌈T · nh / nkv / queries⌉, nkv, B), which are
// those of flash_attention_shared.metal. Keys and values come to threadgroup memory a tile at a time, while the next are
// on their way. A simdgroup has 16 queries and 64 channels of what comes out, in registers, as scores and weights are:
// matrices of which every lane has some elements. With heads of 64 channels two simdgroups split the keys of every
// tile, and what they have found is merged in the end; with wider ones two or four have the same queries and keys, each
// for its own channels. Token t of row b sees the last `window` of the keys s < lengths[b] + min(t + 1, counts[b]). What
// comes out are halves, as the next matrix product takes them. Only whole simdgroups take part, so there must be one.
#include <metal_stdlib>
using namespace metal;
#include "parts/cached_tiles.h"
#include "parts/matrix_products.h"
#include "parts/matrix_softmax.h"

constant constexpr uint QUERIES = 64, WIDE_QUERIES = 32; // host: of a threadgroup, the second with heads of 256
constant constexpr uint THREADS = 256;                   // host: that are wanted
constant constexpr uint CHANNELS = 64;                   // of a simdgroup
constant constexpr float LOG2_E = 1.44269504f;

// Blocks of 16 queries, simdgroups that split a block's keys, and those that split its channels; the keys of a
// tile that a simdgroup takes at once.
template <uint HS> struct Sizes {
    enum : uint { BLOCKS = (HS > 128 ? WIDE_QUERIES : QUERIES) / 16,
                  KEY_PARTS = HS > CHANNELS ? 1 : 2 };
    enum : uint { CHANNEL_PARTS = HS / CHANNELS,
                  SPAN = TileSizes<HS>::KEYS / KEY_PARTS };
};

template <uint HS, typename KV4>
kernel void flash_attention_tiles(
    device const float4 *q [[buffer(0)]],     // [B,nh,T,HS / 4]
    device const KV4 *keys [[buffer(1)]],     // [page,nkv,PAGE,HS / 4]
    device const KV4 *values [[buffer(2)]],   // [page,nkv,PAGE,HS / 4]
    device const uint *pages [[buffer(3)]],   // [B,⌈capacity / PAGE⌉]
    device const uint *lengths [[buffer(4)]], // [B]
    device const uint *counts [[buffer(5)]],  // [B]
    device half2 *out [[buffer(6)]],          // [B,T,nh,HS / 2]
    constant uint &T [[buffer(7)]],
    constant uint &nh [[buffer(8)]],
    constant uint &capacity [[buffer(9)]],
    constant uint &window [[buffer(10)]],
    constant float &scale [[buffer(11)]],
    uint3 group [[threadgroup_position_in_grid]],
    uint3 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint3 group_size [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]])
{
    constexpr uint VECTORS = HS / 4, STRIDE = TileSizes<HS>::STRIDE, KEYS = TileSizes<HS>::KEYS;
    constexpr uint BLOCKS = Sizes<HS>::BLOCKS, SPAN = Sizes<HS>::SPAN, UNITS = BLOCKS * Sizes<HS>::CHANNEL_PARTS;
    // Of keys and of values, at first of the queries; in the end what is to be merged.
    threadgroup half4 tiles[2 * KEYS * STRIDE];
    threadgroup half4 *key_tile = tiles, *value_tile = tiles + KEYS * STRIDE;
    uint threads = group_size.x, simdgroups = threads / SIMD_WIDTH;
    uint parts = simdgroups < 2 ? 1 : uint(Sizes<HS>::KEY_PARTS), at_once = min(simdgroups / parts, UNITS);
    uint part = simdgroup / at_once; // of the keys of a tile
    uint b = group.z, length = lengths[b], count = counts[b], nkv = groups.y, heads = nh / nkv, rows = T * heads;
    uint first_query = (groups.x - 1 - group.x) * 16 * BLOCKS; // those with most keys begin first
    ulong head_start = page_start(0, nkv, group.y, VECTORS), page_size = page_start(1, nkv, 0, VECTORS);
    uint limit = length + min(first_query / heads + 1, count), begin = limit - min(limit, window);
    uint end = length + min((first_query + 16 * BLOCKS - 1) / heads + 1, count);
    device const uint *row = pages_of(pages, b, capacity);
    Cached<KV4> cached_keys = {keys + head_start, row, page_size, begin, end};
    Cached<KV4> cached_values = {values + head_start, row, page_size, begin, end};

    for (uint units = 0; units < UNITS; units += at_once) { // once, if there are as many simdgroups as are wanted
        uint unit = units + simdgroup % at_once, block = unit / Sizes<HS>::CHANNEL_PARTS;
        uint channel = unit % Sizes<HS>::CHANNEL_PARTS * CHANNELS, first_row = first_query + block * 16;
        uint block_end = length + min((first_row + 15) / heads + 1, count); // of the keys that its rows see,
        uint all_see = length + min(first_row / heads + 1, count);          // that all of them see,
        uint hidden = block_end - min(block_end, window);                   // and that not all see any more
        bool takes_part = part < parts && unit < UNITS && first_row < rows;
        simdgroup_half8x8 query[2][HS / 8];
        simdgroup_float8x8 sum[2][CHANNELS / 8]; // of its own channels
        Softmax softmax;
        for (uint i = 0; i < 2 * LANE_ROWS; i++) {
            softmax.m[i] = -FLT_MAX; // not −∞, if no key is seen: exponents are never NaN
            softmax.l[i] = 0.0f;
        }
        clear(sum);
        for (uint n = thread_index; n < 16 * BLOCKS * VECTORS; n += threads) {
            uint row = min(first_query + n / VECTORS, rows - 1), t = row / heads;
            ulong head = ulong(b) * nh + group.y * heads + row % heads;
            place<HS>(q[(head * T + t) * VECTORS + n % VECTORS] * (scale * LOG2_E), tiles, n);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the queries' writes → the reads below
#pragma unroll(UNROLL)
        for (uint i = 0; i < HS / 4; i++) {
            uint r = i / (HS / 8), c = i % (HS / 8);
            if (!takes_part) continue;
            threadgroup const half4 *from = tiles + (block * 16 + r * 8) * STRIDE + c * 2;
            simdgroup_load(query[r][c], (threadgroup const half *)from, 4 * STRIDE);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the reads above ↔ the keys' writes

        KV4 next_keys[TileSizes<HS>::AHEAD], next_values[TileSizes<HS>::AHEAD];
        uint first = begin / PAGE * PAGE;
        if (first < end) fetch_ahead<HS>(cached_keys, first, next_keys, thread_index, threads);
        if (first < end) fetch_ahead<HS>(cached_values, first, next_values, thread_index, threads);
        for (; first < end; first += KEYS) {
            place_all<HS>(cached_keys, first, next_keys, key_tile, thread_index, threads);
            place_all<HS>(cached_values, first, next_values, value_tile, thread_index, threads);
            threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the writes above → the reads below
            if (first + KEYS < end) {
                fetch_ahead<HS>(cached_keys, first + KEYS, next_keys, thread_index, threads);
                fetch_ahead<HS>(cached_values, first + KEYS, next_values, thread_index, threads);
            }
            for (uint k = part * SPAN; k < KEYS && takes_part && first + k < block_end; k += parts * SPAN) {
                simdgroup_float8x8 score[2][SPAN / 8];
                simdgroup_half8x8 weights[2][SPAN / 8];
                clear(score);
#pragma unroll(UNROLL)
                for (uint i = 0; i < SPAN / 16 * (HS / 16); i++) {
                    uint n = i % (SPAN / 16), c = i / (SPAN / 16);
                    threadgroup const half4 *from = key_tile + (k + n * 16) * STRIDE + c * 4;
                    multiply_16x16(score, n, query, c, (threadgroup const half *)from, 4 * STRIDE, true);
                }
                if (first + k + SPAN > all_see || first + k < hidden)
                    hide(score, first_row, heads, int(length) - int(first + k), count, window, lane);
                weigh(score, softmax, weights, sum);
#pragma unroll(UNROLL)
                for (uint i = 0; i < SPAN / 16 * (CHANNELS / 16); i++) {
                    uint n = i % (CHANNELS / 16), c = i / (CHANNELS / 16);
                    threadgroup const half4 *from = value_tile + (k + c * 16) * STRIDE + channel / 4 + n * 4;
                    multiply_16x16(sum, n, weights, c, (threadgroup const half *)from, 4 * STRIDE, false);
                }
            }
            threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the reads above ↔ the next writes
        }

        // A simdgroup of the second part hands over to that of the first: each lane to the one with the same elements.
        threadgroup float *other = (threadgroup float *)tiles + unit * handed_over(CHANNELS / 8) * SIMD_WIDTH + lane;
        if (takes_part && part == 1) hand_over(sum, softmax, other);
        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the writes above → the reads below
        if (takes_part && part == 0) {
            if (parts == 2) merge(sum, softmax, other);
#pragma unroll(UNROLL)
            for (uint i = 0; i < 2 * LANE_ROWS; i++) {
                uint r = i / LANE_ROWS, e = i % LANE_ROWS * COLUMNS;
                uint row = first_row + r * 8 + matrix_row(lane) + i % LANE_ROWS;
                float share = 1.0f / row_sum(softmax.l[i]);
                ulong head = (ulong(b) * T + row / heads) * nh + group.y * heads + row % heads;
                if (row >= rows) continue;
#pragma unroll(UNROLL)
                for (uint c = 0; c < CHANNELS / 8; c++)
                    for (uint j = 0; j < COLUMNS; j += 2) {
                        thread auto &elements = sum[r][c].thread_elements();
                        out[(head * HS + channel + matrix_column(lane) + 8 * c + j) / 2] =
                            half2(float2(elements[e + j], elements[e + j + 1]) * share);
                    }
            }
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the reads above ↔ the next queries' writes
    }
}

template [[host_name("flash_attention_tiles_hs64_halves_f32")]] kernel decltype(flash_attention_tiles<64, float4>) flash_attention_tiles<64, float4>;
template [[host_name("flash_attention_tiles_hs64_halves_f16")]] kernel decltype(flash_attention_tiles<64, half4>) flash_attention_tiles<64, half4>;
template [[host_name("flash_attention_tiles_hs128_halves_f32")]] kernel decltype(flash_attention_tiles<128, float4>) flash_attention_tiles<128, float4>;
template [[host_name("flash_attention_tiles_hs128_halves_f16")]] kernel decltype(flash_attention_tiles<128, half4>) flash_attention_tiles<128, half4>;
template [[host_name("flash_attention_tiles_hs256_halves_f32")]] kernel decltype(flash_attention_tiles<256, float4>) flash_attention_tiles<256, float4>;
template [[host_name("flash_attention_tiles_hs256_halves_f16")]] kernel decltype(flash_attention_tiles<256, half4>) flash_attention_tiles<256, half4>;
