// flash_attention_tiles.metal — flash_attention_hs64.metal by the matrix units, in halves, for prompts
//
//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h
//
// One threadgroup per QUERIES queries, grid (⌈T / QUERIES⌉, nh, B). Each simdgroup takes a block of ROWS
// queries; keys and values come to threadgroup memory KEYS at a time, for all blocks. Both products are made of
// 8×8 matrices of halves, whose sums are floats. A matrix does not tell which lane has what: so the scores go
// through threadgroup memory to become weights, and when a row's maximum rises, its sum is multiplied by a
// matrix that has the row's factor in all of its columns. Query t of row b sees the keys
// s < lengths[b] + min(t + 1, counts[b]). Only whole simdgroups take part, so there must be one.
#include <metal_stdlib>
using namespace metal;

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint HS = 64, VECTORS = HS / 4; // head size, and in vectors of four
constant constexpr uint ROWS = 16, BLOCKS = 4, QUERIES = ROWS * BLOCKS;
constant constexpr uint KEYS = 32, AHEAD = 4;
constant constexpr uint STRIDE = HS + 8, SCORES = KEYS + 4, WEIGHTS = KEYS + 8; // rows begin in different banks
constant constexpr uint SHARE = SIMD_WIDTH < 2 ? 1 : 2; // lanes to a row of scores
constant constexpr uint LANE_ROWS = ROWS * SHARE / SIMD_WIDTH;

// Of a row of scores: the running maximum, the sum of exp(score − m), and how many keys of the tile it sees.
struct Row {
    float m, l;
    uint seen;
};

// `count` rows of a head to a tile of `rows` rows; what is behind them becomes 0. Four vectors are on their way
// at once.
template <typename Vector>
static void copy(device const Vector *from, uint count, uint rows, float scale,
                 threadgroup half (*tile)[STRIDE], uint thread_index, uint threads)
{
    for (uint first = thread_index; first < rows * VECTORS; first += AHEAD * threads) {
        Vector vectors[AHEAD];
        for (uint i = 0; i < AHEAD; i++) vectors[i] = from[min(first + i * threads, count * VECTORS - 1)];
        for (uint i = 0; i < AHEAD; i++) {
            uint row = (first + i * threads) / VECTORS, c = (first + i * threads) % VECTORS;
            float4 value = row < count ? float4(vectors[i]) * scale : float4(0.0f);
            for (uint j = 0; j < 4 && row < rows; j++) tile[row][4 * c + j] = half(value[j]);
        }
    }
}

// scores = query · keysᵀ
static void multiply_keys(thread simdgroup_half8x8 (&query)[ROWS / 8][HS / 8],
                          threadgroup const half (*keys)[STRIDE], threadgroup float (*scores)[SCORES])
{
    simdgroup_float8x8 score[ROWS / 8][KEYS / 8];
#pragma unroll
    for (uint i = 0; i < ROWS / 8 * (KEYS / 8); i++)
        score[i % (ROWS / 8)][i / (ROWS / 8)] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
#pragma unroll
    for (uint c = 0; c < HS / 8; c++)
#pragma unroll
        for (uint k = 0; k < KEYS / 8; k++) {
            simdgroup_half8x8 key;
            simdgroup_load(key, &keys[k * 8][c * 8], STRIDE, 0, true);
#pragma unroll
            for (uint r = 0; r < ROWS / 8; r++)
                simdgroup_multiply_accumulate(score[r][k], query[r][c], key, score[r][k]);
        }
#pragma unroll
    for (uint i = 0; i < ROWS / 8 * (KEYS / 8); i++) {
        uint r = i % (ROWS / 8), k = i / (ROWS / 8);
        simdgroup_store(score[r][k], &scores[r * 8][k * 8], SCORES);
    }
}

// weights = exp(scores − m) of the keys that are seen, shrink = exp(old m − m), for each of a lane's rows.
static void weigh(threadgroup const float (*scores)[SCORES], thread Row (&rows)[LANE_ROWS],
                  threadgroup half (*weights)[WEIGHTS], threadgroup float (*shrink)[8], uint lane)
{
    for (uint i = 0; i < LANE_ROWS; i++) {
        uint n = lane / SHARE + i * (SIMD_WIDTH / SHARE), part = lane % SHARE;
        Row row = rows[i];
        float largest = row.m, total = 0.0f;
        for (uint s = part; s < KEYS; s += SHARE) largest = s < row.seen ? max(largest, scores[n][s]) : largest;
        if (SHARE > 1) largest = max(largest, simd_shuffle_xor(largest, 1));
        for (uint s = part; s < KEYS; s += SHARE) {
            float weight = s < row.seen ? exp(scores[n][s] - largest) : 0.0f;
            weights[n][s] = half(weight);
            total += weight;
        }
        if (SHARE > 1) total += simd_shuffle_xor(total, 1);
        float factor = row.m == -INFINITY ? 0.0f : exp(row.m - largest);
        for (uint c = part; c < 8; c += SHARE) shrink[n][c] = factor;
        rows[i].l = row.l * factor + total;
        rows[i].m = largest;
    }
}

// sum = sum · shrink + weights · values
static void multiply_values(thread simdgroup_float8x8 (&sum)[ROWS / 8][HS / 8],
                            threadgroup const float (*shrink)[8], threadgroup const half (*weights)[WEIGHTS],
                            threadgroup const half (*values)[STRIDE])
{
#pragma unroll
    for (uint r = 0; r < ROWS / 8; r++) {
        simdgroup_float8x8 factor;
        simdgroup_load(factor, &shrink[r * 8][0], 8);
#pragma unroll
        for (uint c = 0; c < HS / 8; c++) sum[r][c].thread_elements() *= factor.thread_elements();
    }
#pragma unroll
    for (uint k = 0; k < KEYS; k += 8) {
        simdgroup_half8x8 weight[ROWS / 8];
#pragma unroll
        for (uint r = 0; r < ROWS / 8; r++) simdgroup_load(weight[r], &weights[r * 8][k], WEIGHTS);
#pragma unroll
        for (uint c = 0; c < HS / 8; c++) {
            simdgroup_half8x8 value;
            simdgroup_load(value, &values[k][c * 8], STRIDE);
#pragma unroll
            for (uint r = 0; r < ROWS / 8; r++)
                simdgroup_multiply_accumulate(sum[r][c], weight[r], value, sum[r][c]);
        }
    }
}

template <typename KV4>
kernel void flash_attention_tiles(
    device const float4 *q [[buffer(0)]],     // [B,nh,T,16]
    device const KV4 *keys [[buffer(1)]],     // [B,nh,capacity,16]
    device const KV4 *values [[buffer(2)]],   // [B,nh,capacity,16]
    device const uint *lengths [[buffer(3)]], // [B]
    device const uint *counts [[buffer(4)]],  // [B]
    device float *out [[buffer(5)]],          // [B,T,nh,64]
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
    threadgroup half tiles[2 * KEYS][STRIDE]; // the queries; then keys, and behind them values
    threadgroup float scores[BLOCKS][ROWS][SCORES];
    threadgroup half weights[BLOCKS][ROWS][WEIGHTS];
    threadgroup float shrink[BLOCKS][ROWS][8];
    uint threads = group_size.x, simdgroups = min(threads / SIMD_WIDTH, BLOCKS);
    uint b = group.z, length = lengths[b], count = counts[b];
    uint first_query = (groups.x - 1 - group.x) * QUERIES; // those with most keys begin first
    ulong head = ulong(b) * groups.y + group.y, start = head * capacity * VECTORS;

    for (uint blocks = 0; blocks < BLOCKS; blocks += simdgroups) { // once, if there are four simdgroups
        uint block = blocks + simdgroup, first_row = first_query + block * ROWS;
        bool takes_part = simdgroup < simdgroups && block < BLOCKS && first_row < T;
        simdgroup_half8x8 query[ROWS / 8][HS / 8];
        simdgroup_float8x8 sum[ROWS / 8][HS / 8];
        Row rows[LANE_ROWS];
        for (uint i = 0; i < LANE_ROWS; i++) {
            rows[i].m = -INFINITY;
            rows[i].l = 0.0f;
        }
        copy(q + (head * T + first_query) * VECTORS, T - first_query, QUERIES, scale, tiles, thread_index, threads);
        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the queries' writes → the reads below
#pragma unroll
        for (uint r = 0; r < ROWS / 8; r++)
#pragma unroll
            for (uint c = 0; c < HS / 8; c++) {
                sum[r][c] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
                if (takes_part) simdgroup_load(query[r][c], &tiles[block * ROWS + r * 8][c * 8], STRIDE);
            }
        threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the reads above ↔ the keys' and values' writes

        uint end = length + min(first_query + QUERIES, count), block_end = length + min(first_row + ROWS, count);
        for (uint first = 0; first < end; first += KEYS) {
            ulong from = start + ulong(first) * VECTORS;
            copy(keys + from, end - first, KEYS, 1.0f, tiles, thread_index, threads);
            copy(values + from, end - first, KEYS, 1.0f, tiles + KEYS, thread_index, threads);
            threadgroup_barrier(mem_flags::mem_threadgroup); // tiles: the writes above → the reads below
            if (takes_part && first < block_end) {
                multiply_keys(query, tiles, scores[simdgroup]);
                for (uint i = 0; i < LANE_ROWS; i++) {
                    uint row = first_row + lane / SHARE + i * (SIMD_WIDTH / SHARE);
                    uint visible = length + min(row + 1, count);
                    rows[i].seen = visible > first ? visible - first : 0;
                }
                simdgroup_barrier(mem_flags::mem_threadgroup); // scores: the writes above → the reads below
                weigh(scores[simdgroup], rows, weights[simdgroup], shrink[simdgroup], lane);
                simdgroup_barrier(mem_flags::mem_threadgroup); // weights, shrink: the writes → the reads below
                multiply_values(sum, shrink[simdgroup], weights[simdgroup], tiles + KEYS);
            }
            threadgroup_barrier(mem_flags::mem_threadgroup); // tiles, scores …: the reads above ↔ the next writes
        }

#pragma unroll
        for (uint part = 0; part < HS; part += KEYS) { // the sums leave through the place of the scores
            if (!takes_part) break;
#pragma unroll
            for (uint r = 0; r < ROWS / 8; r++)
#pragma unroll
                for (uint c = 0; c < KEYS / 8; c++)
                    simdgroup_store(sum[r][part / 8 + c], &scores[simdgroup][r * 8][c * 8], SCORES);
            simdgroup_barrier(mem_flags::mem_threadgroup); // scores: the writes above → the reads below
            for (uint i = 0; i < LANE_ROWS; i++) {
                uint row = lane / SHARE + i * (SIMD_WIDTH / SHARE), t = first_row + row;
                ulong to = ((ulong(b) * T + t) * groups.y + group.y) * HS + part;
                for (uint d = lane % SHARE; d < KEYS && t < T; d += SHARE)
                    out[to + d] = scores[simdgroup][row][d] / rows[i].l;
            }
            simdgroup_barrier(mem_flags::mem_threadgroup); // scores: the reads above ↔ the next writes
        }
    }
}

template [[host_name("flash_attention_tiles_f32")]] kernel decltype(flash_attention_tiles<float4>) flash_attention_tiles<float4>;
template [[host_name("flash_attention_tiles_f16")]] kernel decltype(flash_attention_tiles<half4>) flash_attention_tiles<half4>;
