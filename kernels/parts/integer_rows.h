// integer_rows.h — ROWS rows of blocks at a time, times a row of 16 bits: what a simdgroup has on its way, and their sums
#pragma once
#include "parts/pieces_k.h"

// Of all pieces that a lane has on their way, those of each row.
template <typename Piece, uint ROWS> struct Ahead {
    static constant constexpr uint COUNT = 2 * Piece::AHEAD / ROWS;
};

// Row n of [N,K].
template <typename Piece>
static Row row_of(device const uint4 *matrix, uint n, uint N, uint K)
{
    uint blocks = K / (Piece::WEIGHTS * Piece::PIECES);
    ulong before = ulong(min(n, N - 1)) * blocks;
    return {matrix + before * Piece::VECTORS, (device const half *)(matrix + ulong(N) * blocks * Piece::VECTORS) + before};
}

// A lane's first pieces of some rows.
template <typename Piece, uint ROWS, uint COUNT>
static void read_first(thread Piece (&piece)[ROWS][COUNT], thread const Row (&row)[ROWS], uint pieces, uint lane)
{
    for (uint i = 0; i < COUNT; i++)
        for (uint r = 0; r < ROWS; r++)
            if (i * SIMD_WIDTH + lane < pieces) read_piece(piece[r][i], row[r], i * SIMD_WIDTH + lane);
}

// Rows · x. `piece` has a lane's first pieces of them and gets those of the next rows, if there are some.
template <typename Piece, uint ROWS, uint COUNT>
static void multiply(thread Piece (&piece)[ROWS][COUNT], thread const Row (&row)[ROWS], thread const Row (&next)[ROWS],
                     bool has_next, RoundedRow x, uint pieces, uint lane, thread float (&sum)[ROWS])
{
    constexpr uint PART = COUNT * SIMD_WIDTH;
    for (uint r = 0; r < ROWS; r++) sum[r] = 0.0f;
    for (uint first = 0; first < pieces; first += PART) {
        bool is_last = first + PART >= pieces;
        for (uint i = 0; i < COUNT; i++) {
            uint k = first + i * SIMD_WIDTH + lane, ahead = is_last ? i * SIMD_WIDTH + lane : k + PART;
            bool reads = ahead < pieces && (!is_last || has_next);
            for (uint r = 0; r < ROWS; r++) {
                if (k < pieces) sum[r] += product(piece[r][i], k, x);
                if (reads) read_piece(piece[r][i], is_last ? next[r] : row[r], ahead);
            }
        }
    }
    for (uint r = 0; r < ROWS; r++) sum[r] = simd_sum(sum[r]);
}

// Three matrices [rows,K] that follow each other, and their biases.
struct Matrices {
    device const uint4 *a, *b, *c;
    device const float *bias_a, *bias_b, *bias_c;
    uint A, B, C, K;
};

// Of these, rows n and those after it.
template <typename Piece, uint ROWS>
static void rows_at(thread Row (&row)[ROWS], Matrices of, uint n)
{
    for (uint r = 0; r < ROWS; r++) {
        uint m = min(n + r, of.A + of.B + of.C - 1);
        if (m < of.A)
            row[r] = row_of<Piece>(of.a, m, of.A, of.K);
        else if (m < of.A + of.B)
            row[r] = row_of<Piece>(of.b, m - of.A, of.B, of.K);
        else
            row[r] = row_of<Piece>(of.c, m - of.A - of.B, of.C, of.K);
    }
}
static float bias_at(Matrices of, uint n)
{
    n = min(n, of.A + of.B + of.C - 1);
    return n < of.A ? of.bias_a[n] : n < of.A + of.B ? of.bias_b[n - of.A]
                                                     : of.bias_c[n - of.A - of.B];
}
