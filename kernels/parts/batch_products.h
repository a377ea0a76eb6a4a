// batch_products.h — 16 rows of weights × tiles of eight tokens, the columns split across simdgroups
#pragma once
#include "parts/matrix_products.h"
#include "parts/simd_width.h"

constant constexpr uint ROWS = 16, PART = 32; // host: rows of the weights at once, and their columns
constant constexpr uint AHEAD = 3; // parts that are on their way at once

// ROWS rows [K]: twice eight that follow each other.
struct Block {
    device const half *rows[2];
};

// Tiles of eight tokens [8,K]: from where a threadgroup begins, and the last of all.
struct Tiles {
    device const half *x;
    uint first, last;
};

// Where a block of ROWS rows begins: the last one earlier than it should, so that it is whole.
static uint begin_of(uint block, uint N) { return min(block * ROWS, N - ROWS); }

// Rows n … n + 15 of one matrix.
static Block block_of(device const half *weight, uint n, uint K)
{
    device const half *row = weight + ulong(n) * K;
    return {{row, row + ulong(8) * K}};
}

// Parts first, first + step … of a block, as far as there are such.
static void read_ahead(Block block, uint first, uint step, uint K, thread simdgroup_half8x8 (&ahead)[AHEAD][2][4])
{
#pragma unroll(UNROLL)
    for (uint i = 0; i < AHEAD; i++)
        for (uint r = 0; r < 2; r++)
            if (first + i * step < K / PART) load_part(ahead[i][r], block.rows[r] + (first + i * step) * PART, K, false);
}

// Parts begin, begin + step … of a block and of TILES tiles; `ahead` has the first ones of the block. After the last
// tile or part the last one is read again, and not used.
template <uint TILES>
static void multiply(Block block, Tiles tiles, uint begin, uint step, uint K,
                     thread simdgroup_half8x8 (&ahead)[AHEAD][2][4], thread simdgroup_float8x8 (&sum)[TILES][2])
{
    uint parts = K / PART;
#pragma unroll(UNROLL)
    for (uint i = 0; i < 2 * TILES; i++) sum[i / 2][i % 2] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    for (uint first = begin; first < parts; first += AHEAD * step) {
        simdgroup_half8x8 tokens[AHEAD][TILES][4];
#pragma unroll(UNROLL)
        for (uint i = 0; i < AHEAD; i++)
#pragma unroll(UNROLL)
            for (uint t = 0; t < TILES; t++) {
                uint part = min(first + i * step, parts - 1), tile = min(tiles.first + t, tiles.last);
                load_part(tokens[i][t], tiles.x + ulong(8 * tile) * K + part * PART, K, true);
            }
        simdgroup_barrier(mem_flags::mem_none); // all are on their way before the first is waited for
#pragma unroll(UNROLL)
        for (uint i = 0; i < AHEAD; i++)
#pragma unroll(UNROLL)
            for (uint t = 0; t < TILES; t++)
                if (first + i * step < parts) multiply_part(sum[t], ahead[i], tokens[i][t]);
        read_ahead(block, first + AHEAD * step, step, K, ahead);
    }
}

// A simdgroup's sums to its place among the others'.
template <uint TILES>
static void store_sums(thread simdgroup_float8x8 (&sum)[TILES][2], threadgroup float (*sums)[TILES][64])
{
#pragma unroll(UNROLL)
    for (uint i = 0; i < 2 * TILES; i++) simdgroup_store(sum[i / 2][i % 2], sums[i % 2][i / 2], 8);
}
