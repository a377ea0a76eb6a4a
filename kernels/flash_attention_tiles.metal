// flash_attention_tiles.metal — flash_attention_hs64.metal by the matrix units, in halves, for prompts
//
//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h
//
// One threadgroup per QUERIES queries, grid (⌈T / QUERIES⌉, nh, B). Each simdgroup takes a block of 16 queries;
// keys and values come to threadgroup memory KEYS at a time, for all blocks, while the next are on their way.
// Scores, weights and sums stay in registers, as matrices of which every lane has some elements. Query t of row b
// sees the keys s < lengths[b] + min(t + 1, counts[b]). What comes out is of type Out2: halves where the next matrix
// product takes such. Only whole simdgroups take part, so there must be one.
#include <metal_stdlib>
using namespace metal;

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint HS = 64, VECTORS = HS / 4; // head size, and in vectors of four
constant constexpr uint BLOCKS = 4, QUERIES = 16 * BLOCKS, KEYS = 64;
constant constexpr uint STRIDE = VECTORS + 2;             // rows of a tile begin in different banks
constant constexpr uint AHEAD = KEYS * VECTORS / 128;     // vectors of a tile that a thread fetches early
constant constexpr uint COLUMNS = SIMD_WIDTH < 8 ? 8 : 2; // neighbours that a lane has of a row of a matrix,
constant constexpr uint LANE_ROWS = 64 / COLUMNS / SIMD_WIDTH; // and in so many rows
constant constexpr float LOG2_E = 1.44269504f;

typedef half4 Tile[KEYS][STRIDE];
typedef simdgroup_float8x8 Floats[2][8]; // 16 rows of a head's channels, or of a tile's keys
typedef simdgroup_half8x8 Halves[2][8];

// Where a lane's elements of an 8×8 matrix begin, and what the lanes of a row have together. Targets that share
// out matrices in another way than Apple's GPUs bring their own.
#ifndef MATRIX_LAYOUT
static uint matrix_row(uint lane) { return lane / 16 * 4 + lane / 2 % 4; }
static uint matrix_column(uint lane) { return lane / 8 % 2 * 4 + lane % 2 * 2; }
static float row_max(float x)
{
    x = max(x, simd_shuffle_xor(x, 1));
    return max(x, simd_shuffle_xor(x, 8));
}
static float row_sum(float x)
{
    x += simd_shuffle_xor(x, 1);
    return x + simd_shuffle_xor(x, 8);
}
#endif

// 16 columns of sum, from 16 n on, += 16 columns of a, from 16 k on, · b [16,16], which lies in threadgroup memory
// by rows or, `transposed`, by columns. A target may have one instruction for it.
#ifndef MULTIPLY_16X16
static void multiply_16x16(thread Floats &sum, uint n, thread Halves &a, uint k, threadgroup const half *b,
                           uint stride, bool transposed)
{
    for (uint i = 0; i < 2; i++)
        for (uint j = 0; j < 2; j++) {
            simdgroup_half8x8 factor;
            simdgroup_load(factor, b + (transposed ? j * stride + i : i * stride + j) * 8, stride, 0, transposed);
            for (uint r = 0; r < 2; r++)
                simdgroup_multiply_accumulate(sum[r][2 * n + j], a[r][2 * k + i], factor, sum[r][2 * n + j]);
        }
}
#endif

static void store(device float2 *to, float2 value) { *to = value; }
static void store(device half2 *to, float2 value) { *to = half2(value); }

static void clear(thread Floats &floats)
{
#pragma unroll
    for (uint i = 0; i < 16; i++) floats[i / 8][i % 8] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
}

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
#pragma unroll
    for (uint i = 0; i < AHEAD; i++) ahead[i] = fetch(from, thread_index + i * threads, count);
}

// They and all others to the tile.
template <typename Vector>
static void place_all(device const Vector *from, uint count, thread const Vector (&ahead)[AHEAD], float scale,
                      threadgroup Tile &tile, uint thread_index, uint threads)
{
#pragma unroll
    for (uint i = 0; i < AHEAD; i++) {
        uint n = thread_index + i * threads;
        if (n < KEYS * VECTORS) place(float4(ahead[i]) * scale, tile, n);
    }
    for (uint n = thread_index + AHEAD * threads; n < KEYS * VECTORS; n += threads)
        place(float4(fetch(from, n, count)) * scale, tile, n);
}

// Row t sees `before` + min(t + 1, count) of a tile's keys: the scores of the others become −∞.
static void hide(thread Floats &score, uint first_row, int before, uint count, uint lane)
{
#pragma unroll
    for (uint i = 0; i < 16; i++) {
        thread auto &elements = score[i / 8][i % 8].thread_elements();
        for (uint e = 0; e < LANE_ROWS * COLUMNS; e++) {
            uint t = first_row + i / 8 * 8 + matrix_row(lane) + e / COLUMNS;
            uint s = i % 8 * 8 + matrix_column(lane) + e % COLUMNS;
            if (int(s) >= before + int(min(t + 1, count))) elements[e] = -INFINITY;
        }
    }
}

// Of a lane's rows the largest score so far, and of its own elements the sum of 2^(score − m).
struct Softmax {
    float m[2][LANE_ROWS], l[2][LANE_ROWS];
};

// weights = 2^(score − m). What was summed before a larger score came shrinks.
static void weigh(thread Floats &score, thread Softmax &softmax, thread Halves &weights, thread Floats &sum)
{
#pragma unroll
    for (uint i = 0; i < 2 * LANE_ROWS; i++) {
        uint r = i / LANE_ROWS, first = i % LANE_ROWS * COLUMNS;
        thread float &m = softmax.m[r][i % LANE_ROWS], &l = softmax.l[r][i % LANE_ROWS];
        float largest = m;
#pragma unroll
        for (uint k = 0; k < 8; k++)
            for (uint e = first; e < first + COLUMNS; e++) largest = max(largest, score[r][k].thread_elements()[e]);
        largest = max(row_max(largest), -FLT_MAX); // not −∞, if no key is seen: exponents are never NaN
        float shrink = fast::exp2(m - largest);
        m = largest;
        l *= shrink;
#pragma unroll
        for (uint k = 0; k < 8; k++)
            for (uint e = first; e < first + COLUMNS; e++) {
                float weight = fast::exp2(score[r][k].thread_elements()[e] - largest);
                l += weight;
                weights[r][k].thread_elements()[e] = half(weight);
                sum[r][k].thread_elements()[e] *= shrink;
            }
    }
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
    threadgroup Tile key_tile; // first that of the queries
    threadgroup Tile value_tile;
    uint threads = group_size.x, simdgroups = min(threads / SIMD_WIDTH, BLOCKS);
    uint b = group.z, length = lengths[b], count = counts[b];
    uint first_query = (groups.x - 1 - group.x) * QUERIES; // those with most keys begin first
    ulong head = ulong(b) * groups.y + group.y, start = head * capacity * VECTORS;

    for (uint blocks = 0; blocks < BLOCKS; blocks += simdgroups) { // once, if there are four simdgroups
        uint block = blocks + simdgroup, first_row = first_query + block * 16;
        uint end = length + min(first_query + QUERIES, count), block_end = length + min(first_row + 16, count);
        bool takes_part = simdgroup < simdgroups && block < BLOCKS && first_row < T;
        Halves query;
        Floats sum;
        Softmax softmax;
        for (uint i = 0; i < 2 * LANE_ROWS; i++) {
            softmax.m[i / LANE_ROWS][i % LANE_ROWS] = -INFINITY;
            softmax.l[i / LANE_ROWS][i % LANE_ROWS] = 0.0f;
        }
        clear(sum);
        float4 queries[AHEAD];
        device const float4 *from = q + (head * T + first_query) * VECTORS;
        fetch_ahead(from, T - first_query, queries, thread_index, threads);
        place_all(from, T - first_query, queries, scale * LOG2_E, key_tile, thread_index, threads);
        threadgroup_barrier(mem_flags::mem_threadgroup); // key_tile: the queries' writes → the reads below
#pragma unroll
        for (uint i = 0; i < 16; i++)
            if (takes_part)
                simdgroup_load(query[i / 8][i % 8],
                               (threadgroup const half *)&key_tile[block * 16 + i / 8 * 8][i % 8 * 2], 4 * STRIDE);
        threadgroup_barrier(mem_flags::mem_threadgroup); // key_tile: the reads above ↔ the keys' writes

        KV4 ahead[AHEAD];
        if (end > 0) fetch_ahead(keys + start, end, ahead, thread_index, threads);
        for (uint first = 0; first < end; first += KEYS) {
            device const KV4 *from_keys = keys + start + ulong(first) * VECTORS;
            device const KV4 *from_values = values + start + ulong(first) * VECTORS;
            bool sees = takes_part && first < block_end;
            Halves weights;
            place_all(from_keys, end - first, ahead, 1.0f, key_tile, thread_index, threads);
            threadgroup_barrier(mem_flags::mem_threadgroup); // key_tile: the writes above → the reads below
            fetch_ahead(from_values, end - first, ahead, thread_index, threads);
            if (sees) {
                Floats score;
                clear(score);
#pragma unroll
                for (uint i = 0; i < 16; i++)
                    multiply_16x16(score, i % 4, query, i / 4,
                                   (threadgroup const half *)&key_tile[i % 4 * 16][i / 4 * 4], 4 * STRIDE, true);
                if (first + KEYS > length + min(first_row + 1, count))
                    hide(score, first_row, int(length) - int(first), count, lane);
                weigh(score, softmax, weights, sum);
            }
            place_all(from_values, end - first, ahead, 1.0f, value_tile, thread_index, threads);
            threadgroup_barrier(mem_flags::mem_threadgroup); // value_tile: the writes above → the reads below
            if (first + KEYS < end)
                fetch_ahead(from_keys + KEYS * VECTORS, end - first - KEYS, ahead, thread_index, threads);
            if (!sees) continue;
#pragma unroll
            for (uint i = 0; i < 16; i++)
                multiply_16x16(sum, i % 4, weights, i / 4,
                               (threadgroup const half *)&value_tile[i / 4 * 16][i % 4 * 4], 4 * STRIDE, false);
        }

        for (uint i = 0; i < 2 * LANE_ROWS; i++) {
            uint r = i / LANE_ROWS, e = i % LANE_ROWS, t = first_row + r * 8 + matrix_row(lane) + e;
            float part = 1.0f / (takes_part ? row_sum(softmax.l[r][e]) : 1.0f);
            ulong to = ((ulong(b) * T + t) * groups.y + group.y) * HS + matrix_column(lane);
            if (!takes_part || t >= T) continue;
#pragma unroll
            for (uint c = 0; c < 8; c++)
                for (uint j = 0; j < COLUMNS; j += 2) {
                    thread auto &elements = sum[r][c].thread_elements();
                    float2 pair = float2(elements[e * COLUMNS + j], elements[e * COLUMNS + j + 1]) * part;
                    store(out + (to + 8 * c + j) / 2, pair);
                }
        }
    }
}

template [[host_name("flash_attention_tiles_f32")]] kernel decltype(flash_attention_tiles<float4, float2>) flash_attention_tiles<float4, float2>;
template [[host_name("flash_attention_tiles_f16")]] kernel decltype(flash_attention_tiles<half4, float2>) flash_attention_tiles<half4, float2>;
template [[host_name("flash_attention_tiles_halves_f32")]] kernel decltype(flash_attention_tiles<float4, half2>) flash_attention_tiles<float4, half2>;
template [[host_name("flash_attention_tiles_halves_f16")]] kernel decltype(flash_attention_tiles<half4, half2>) flash_attention_tiles<half4, half2>;
