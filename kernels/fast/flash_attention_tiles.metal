// flash_attention_tiles.metal — flash_attention_hs64.metal by the matrix units, in halves, for prompts
//
//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h
//
// One threadgroup per QUERIES queries, grid (⌈T / QUERIES⌉, nh, B). Keys and values come to threadgroup memory KEYS
// at a time, while the next are on their way. Two simdgroups take a block of 16 queries, each with one half of
// the keys of every tile, and what they have found is merged in the end. Scores, weights and sums stay in
// registers, as matrices of which every lane has some elements. Query t of row b sees the keys
// s < lengths[b] + min(t + 1, counts[b]). What comes out is of type Out2: halves where the next matrix product takes
// such. Only whole simdgroups take part, so there must be one.
#include <metal_stdlib>
using namespace metal;
#include "parts/matrix_products.h"
#include "parts/matrix_softmax.h"

constant constexpr uint HS = 64; // head size
constant constexpr uint VECTORS = HS / 4;
constant constexpr uint BLOCKS = 4, KEYS = 64;
constant constexpr uint QUERIES = 16 * BLOCKS, THREADS = 64 * BLOCKS; // host: of a threadgroup
constant constexpr uint STRIDE = VECTORS + 2;             // rows of a tile begin in different banks
constant constexpr uint HALF = KEYS / 2;
constant constexpr uint AHEAD = KEYS * VECTORS / THREADS; // vectors of a tile that a thread fetches early
constant constexpr float LOG2_E = 1.44269504f;

typedef half4 Tile[KEYS][STRIDE];
typedef simdgroup_float8x8 Sums[2][HS / 8]; // 16 rows of a head's channels
typedef simdgroup_half8x8 Query[2][HS / 8];
typedef simdgroup_float8x8 Scores[2][HALF / 8]; // of half a tile's keys
typedef simdgroup_half8x8 Weights[2][HALF / 8];

static void store(device float2 *to, float2 value) { *to = value; }
static void store(device half2 *to, float2 value) { *to = half2(value); }

// Vector n of `count` rows, and behind them the last one: nobody will see it.
template <typename Vector> static Vector fetch(device const Vector *from, uint n, uint count)
{
    return from[min(n, count * VECTORS - 1)];
}

static void place(float4 vector, threadgroup Tile &tile, uint n)
{
    tile[n / VECTORS][n % VECTORS] = half4(vector);
}

// The first vectors of a tile that this thread is to move.
template <typename Vector>
static void fetch_ahead(device const Vector *from, uint count, thread Vector (&ahead)[AHEAD], uint thread_index,
                        uint threads)
{
#pragma unroll(UNROLL)
    for (uint i = 0; i < AHEAD; i++) ahead[i] = fetch(from, thread_index + i * threads, count);
}

// They and all others to the tile.
template <typename Vector>
static void place_all(device const Vector *from, uint count, thread const Vector (&ahead)[AHEAD], float scale,
                      threadgroup Tile &tile, uint thread_index, uint threads)
{
#pragma unroll(UNROLL)
    for (uint i = 0; i < AHEAD; i++) {
        uint n = thread_index + i * threads;
        if (n < KEYS * VECTORS) place(float4(ahead[i]) * scale, tile, n);
    }
    for (uint n = thread_index + AHEAD * threads; n < KEYS * VECTORS; n += threads)
        place(float4(fetch(from, n, count)) * scale, tile, n);
}

template <typename KV4, typename Out2>
kernel void flash_attention_tiles(
    device const float4 *q [[buffer(0)]],     // [B,nh,T,16]
    device const KV4 *keys [[buffer(1)]],     // [B,nh,capacity,16]
    device const KV4 *values [[buffer(2)]],   // [B,nh,capacity,16]
    device const uint *lengths [[buffer(3)]], // [B]
    device const uint *counts [[buffer(4)]],  // [B]
    device Out2 *out [[buffer(5)]],           // [B,T,nh,32]
    constant uint &T [[buffer(6)]],
    constant uint &capacity [[buffer(7)]],
    constant float &scale [[buffer(8)]],
    uint3 group [[threadgroup_position_in_grid]],
    uint3 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint3 group_size [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]])
{
    threadgroup Tile tiles[2]; // of keys, at first the queries, and of values; in the end what is to be merged
    uint threads = group_size.x, simdgroups = threads / SIMD_WIDTH, parts = simdgroups < 2 ? 1 : 2;
    uint at_once = min(simdgroups / parts, BLOCKS), part = simdgroup / at_once;
    uint b = group.z, length = lengths[b], count = counts[b];
    uint first_query = (groups.x - 1 - group.x) * QUERIES; // those with most keys begin first
    ulong head = ulong(b) * groups.y + group.y, start = head * capacity * VECTORS;
    uint end = length + min(first_query + QUERIES, count);

    for (uint blocks = 0; blocks < BLOCKS; blocks += at_once) { // once, if there are eight simdgroups
        uint block = blocks + simdgroup % at_once, first_row = first_query + block * 16;
        uint block_end = length + min(first_row + 16, count);
        bool takes_part = part < parts && block < BLOCKS && first_row < T;
        Query query;
        Sums sum;
        Softmax softmax;
        for (uint i = 0; i < 2 * LANE_ROWS; i++) {
            softmax.m[i] = -FLT_MAX; // not −∞, if no key is seen: exponents are never NaN
            softmax.l[i] = 0.0f;
        }
        clear(sum);
        float4 queries[AHEAD];
        device const float4 *from = q + (head * T + first_query) * VECTORS;
        fetch_ahead(from, T - first_query, queries, thread_index, threads);
        place_all(from, T - first_query, queries, scale * LOG2_E, tiles[0], thread_index, threads);
        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles[0]: the queries' writes → the reads below
#pragma unroll(UNROLL)
        for (uint i = 0; i < HS / 4; i++)
            if (takes_part)
                simdgroup_load(query[i / 8][i % 8],
                               (threadgroup const half *)&tiles[0][block * 16 + i / 8 * 8][i % 8 * 2], 4 * STRIDE);
        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles[0]: the reads above ↔ the keys' writes

        KV4 next_keys[AHEAD], next_values[AHEAD];
        if (end > 0) fetch_ahead(keys + start, end, next_keys, thread_index, threads);
        if (end > 0) fetch_ahead(values + start, end, next_values, thread_index, threads);
        for (uint first = 0; first < end; first += KEYS) {
            device const KV4 *from_keys = keys + start + ulong(first) * VECTORS;
            device const KV4 *from_values = values + start + ulong(first) * VECTORS;
            place_all(from_keys, end - first, next_keys, 1.0f, tiles[0], thread_index, threads);
            place_all(from_values, end - first, next_values, 1.0f, tiles[1], thread_index, threads);
            threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the writes above → the reads below
            if (first + KEYS < end) {
                fetch_ahead(from_keys + KEYS * VECTORS, end - first - KEYS, next_keys, thread_index, threads);
                fetch_ahead(from_values + KEYS * VECTORS, end - first - KEYS, next_values, thread_index, threads);
            }
            for (uint k = part * HALF; k < KEYS && takes_part && first + k < block_end; k += parts * HALF) {
                Scores score;
                Weights weights;
                clear(score);
#pragma unroll(UNROLL)
                for (uint i = 0; i < 8; i++)
                    multiply_16x16(score, i % 2, query, i / 2,
                                   (threadgroup const half *)&tiles[0][k + i % 2 * 16][i / 2 * 4], 4 * STRIDE, true);
                if (first + k + HALF > length + min(first_row + 1, count))
                    hide(score, first_row, int(length) - int(first + k), count, lane);
                weigh(score, softmax, weights, sum);
#pragma unroll(UNROLL)
                for (uint i = 0; i < 8; i++)
                    multiply_16x16(sum, i % 4, weights, i / 4,
                                   (threadgroup const half *)&tiles[1][k + i / 4 * 16][i % 4 * 4], 4 * STRIDE, false);
            }
            threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the reads above ↔ the next writes
        }

        // A simdgroup of the second half hands over to that of the first: each lane to the one with the same elements.
        threadgroup float *other = (threadgroup float *)tiles + block * handed_over(HS / 8) * SIMD_WIDTH + lane;
        if (takes_part && part == 1) hand_over(sum, softmax, other);
        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the writes above → the reads below
        if (takes_part && part == 0) {
            if (parts == 2) merge(sum, softmax, other);
#pragma unroll(UNROLL)
            for (uint i = 0; i < 2 * LANE_ROWS; i++) {
                uint r = i / LANE_ROWS, e = i % LANE_ROWS * COLUMNS;
                uint t = first_row + r * 8 + matrix_row(lane) + i % LANE_ROWS;
                float share = 1.0f / row_sum(softmax.l[i]);
                ulong to = ((ulong(b) * T + t) * groups.y + group.y) * HS + matrix_column(lane);
                if (t >= T) continue;
#pragma unroll(UNROLL)
                for (uint c = 0; c < HS / 8; c++)
                    for (uint j = 0; j < COLUMNS; j += 2) {
                        thread auto &elements = sum[r][c].thread_elements();
                        store(out + (to + 8 * c + j) / 2, float2(elements[e + j], elements[e + j + 1]) * share);
                    }
            }
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the reads above ↔ the next queries' writes
    }
}

template [[host_name("flash_attention_tiles_f32")]] kernel decltype(flash_attention_tiles<float4, float2>) flash_attention_tiles<float4, float2>;
template [[host_name("flash_attention_tiles_f16")]] kernel decltype(flash_attention_tiles<half4, float2>) flash_attention_tiles<half4, float2>;
template [[host_name("flash_attention_tiles_halves_f32")]] kernel decltype(flash_attention_tiles<float4, half2>) flash_attention_tiles<float4, half2>;
template [[host_name("flash_attention_tiles_halves_f16")]] kernel decltype(flash_attention_tiles<half4, half2>) flash_attention_tiles<half4, half2>;
