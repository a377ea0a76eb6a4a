// fused_linear_batch.metal — weights × the vectors of a batch by the matrix units, and what follows, for decoding
//
//   linear_batch            out[t,n] = y[t,n]             y[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]
//   linear_batch_gelu       out[t,n] = gelu(y[t,n])
//   linear_batch_residual   out[t,n] += y[t,n]
//
// A batch decodes as fast as one row as long as each weight is read once for all of its rows and multiplying costs
// nothing. A threadgroup takes ROWS weight rows at a time and TILES tiles of eight tokens, grid (≤ ⌈N / ROWS⌉,
// ⌈T / 8 TILES⌉). Its simdgroups share out the columns, PART at a time: each makes 8×8 matrices of float sums from
// 8×8 matrices of halves, which all simdgroups add up in threadgroup memory. K is a multiple of PART, N at least
// ROWS; x has a whole number of tiles, and what its rows behind T hold does not matter. Only whole simdgroups
// multiply, so there must be one.
#include <metal_stdlib>
using namespace metal;
#include "parts/gelu.h"
#include "parts/matrix_products.h"
#include "parts/simd_width.h"
#include "parts/wait.h"

constant constexpr uint ROWS = 16, PART = 32; // host: rows of the weight at once, and their columns
constant constexpr uint AHEAD = 3; // parts that are on their way at once

// Where a block of ROWS rows begins: the last one earlier than it should, so that it is whole.
static uint begin_of(uint block, uint N) { return min(block * ROWS, N - ROWS); }

// Parts first, first + step … of ROWS rows, as far as there are such.
static void read_ahead(device const half *rows, uint first, uint step, uint K,
                       thread simdgroup_half8x8 (&ahead)[AHEAD][2][4])
{
#pragma unroll(UNROLL)
    for (uint i = 0; i < AHEAD; i++)
        for (uint r = 0; r < 2; r++)
            if (first + i * step < K / PART)
                load_part(ahead[i][r], rows + ulong(8 * r) * K + (first + i * step) * PART, K, false);
}

// Parts begin, begin + step … of ROWS rows and of TILES tiles; `ahead` has the first ones of the rows. Behind the
// last tile or part the last one is read again, and not used.
template <uint TILES>
static void multiply(device const half *rows, device const half *x, uint first_tile, uint last_tile, uint begin,
                     uint step, uint K, thread simdgroup_half8x8 (&ahead)[AHEAD][2][4],
                     thread simdgroup_float8x8 (&sum)[TILES][2])
{
    uint parts = K / PART;
#pragma unroll(UNROLL)
    for (uint i = 0; i < 2 * TILES; i++) sum[i / 2][i % 2] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    for (uint first = begin; first < parts; first += AHEAD * step) {
        simdgroup_half8x8 tiles[AHEAD][TILES][4];
#pragma unroll(UNROLL)
        for (uint i = 0; i < AHEAD; i++)
#pragma unroll(UNROLL)
            for (uint t = 0; t < TILES; t++) {
                uint part = min(first + i * step, parts - 1), tile = min(first_tile + t, last_tile);
                load_part(tiles[i][t], x + ulong(8 * tile) * K + part * PART, K, true);
            }
        simdgroup_barrier(mem_flags::mem_none); // all are on their way before the first is waited for
#pragma unroll(UNROLL)
        for (uint i = 0; i < AHEAD; i++)
#pragma unroll(UNROLL)
            for (uint t = 0; t < TILES; t++)
                if (first + i * step < parts) multiply_part(sum[t], ahead[i], tiles[i][t]);
        read_ahead(rows, first + AHEAD * step, step, K, ahead);
    }
}

template <uint TILES, typename Out, bool GELU, bool ADD>
kernel void linear_batch(
    device const half *x [[buffer(0)]],      // [⌈T/8⌉·8,K]
    device const half *weight [[buffer(1)]], // [N,K]
    device const float *bias [[buffer(2)]],  // [N]
    device Out *out [[buffer(3)]],           // [T,N]
    constant uint &T [[buffer(4)]],
    constant uint &K [[buffer(5)]],
    constant uint &N [[buffer(6)]],
    uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint2 group_size [[threads_per_threadgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]])
{
    constexpr uint MAX_SIMDGROUPS = TILES < 4 ? 16 : 12; // that multiply: their sums have 24 KB
    threadgroup float sums[MAX_SIMDGROUPS][2][TILES][64];
    threadgroup float shift[ROWS]; // the bias
    uint threads = group_size.x, simdgroups = min(threads / SIMD_WIDTH, MAX_SIMDGROUPS);
    uint first_tile = group.y * TILES, last_tile = (T - 1) / 8;
    bool takes_part = simdgroup < simdgroups;
    simdgroup_half8x8 ahead[AHEAD][2][4];
    // Weights never change: the first of them are read before the kernel that makes x has ended.
    if (takes_part) read_ahead(weight + ulong(begin_of(group.x, N)) * K, simdgroup, simdgroups, K, ahead);
    for (uint block = group.x; block * ROWS < N; block += groups.x) {
        uint first_row = begin_of(block, N), next = block + groups.x;
        for (uint i = thread_index; i < ROWS; i += threads) shift[i] = bias[first_row + i];
        if (block == group.x) wait_for_previous_kernel();
        if (takes_part) {
            simdgroup_float8x8 sum[TILES][2];
            multiply(weight + ulong(first_row) * K, x, first_tile, last_tile, simdgroup, simdgroups, K, ahead, sum);
            if (next * ROWS < N)
                read_ahead(weight + ulong(begin_of(next, N)) * K, simdgroup, simdgroups, K, ahead);
#pragma unroll(UNROLL)
            for (uint i = 0; i < 2 * TILES; i++) simdgroup_store(sum[i / 2][i % 2], sums[simdgroup][i % 2][i / 2], 8);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // sums, shift: the writes above → the reads below
        for (uint i = thread_index; i < ROWS * 8 * TILES; i += threads) {
            uint r = i / (64 * TILES), tile = i / 64 % TILES, n = 8 * r + i % 64 / 8;
            ulong t = 8 * (first_tile + tile) + i % 8, at = t * N + first_row + n;
            if (t >= T || first_row + n < block * ROWS) continue; // the block before has these rows
            float before = ADD ? float(out[at]) : 0.0f, y = shift[n];
            for (uint s = 0; s < simdgroups; s++) y += sums[s][r][tile][i % 64];
            out[at] = Out(before + (GELU ? gelu_of(y) : y));
        }
        threadgroup_barrier(mem_flags::mem_threadgroup); // sums, shift: the reads above ↔ the next writes
    }
}

template [[host_name("linear_batch_8")]] kernel decltype(linear_batch<1, float, false, false>) linear_batch<1, float, false, false>;
template [[host_name("linear_batch_16")]] kernel decltype(linear_batch<2, float, false, false>) linear_batch<2, float, false, false>;
template [[host_name("linear_batch_32")]] kernel decltype(linear_batch<4, float, false, false>) linear_batch<4, float, false, false>;
template [[host_name("linear_batch_gelu_8")]] kernel decltype(linear_batch<1, half, true, false>) linear_batch<1, half, true, false>;
template [[host_name("linear_batch_gelu_16")]] kernel decltype(linear_batch<2, half, true, false>) linear_batch<2, half, true, false>;
template [[host_name("linear_batch_gelu_32")]] kernel decltype(linear_batch<4, half, true, false>) linear_batch<4, half, true, false>;
template [[host_name("linear_batch_residual_8")]] kernel decltype(linear_batch<1, float, false, true>) linear_batch<1, float, false, true>;
template [[host_name("linear_batch_residual_16")]] kernel decltype(linear_batch<2, float, false, true>) linear_batch<2, float, false, true>;
