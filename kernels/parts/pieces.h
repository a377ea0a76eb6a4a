// pieces.h — weights of block formats in pieces that a lane reads by whole vectors, times a row of 16 bits
//
// A piece is some neighbours of a row with all that belongs to them. q4_K and q5_K are read as they are stored: their
// blocks are whole vectors of 16 bytes. Of q8_0 and q6_K, whose blocks are not, block_planes.metal has put the scale of
// each block after all blocks: a plane of blocks without it, then one of scales. A row's pieces follow each other.
//   WEIGHTS  of a piece,   PIECES  of a block,   VECTORS  that a block is,
//   AHEAD    pieces of each of two rows that a lane has on their way at once.
#pragma once
#include "parts/rounded_row.h"

// Where a row begins: its blocks, and their scales, if these have a plane.
struct Row {
    device const uint4 *vectors;
    device const half *scales;
};

// Σ of 16 bytes of each, and of 16 bytes times vector i of x.
static int dot16(uint4 a, uint4 b)
{
    return dot4(dot4(dot4(dot4(0, a.x, b.x), a.y, b.y), a.z, b.z), a.w, b.w);
}
static int dot16(uint4 weights, RoundedRow x, uint i)
{
    return 256 * dot16(weights, x.high[i]) + dot16(weights, x.low[i]);
}

// --- q8_0: half a block ---

struct piece_q8_0 {
    static constant constexpr uint WEIGHTS = 16, PIECES = 2, VECTORS = 2, AHEAD = 4;
    uint4 values;
    half scale;
};

// Piece i of a row.
static void read_piece(thread piece_q8_0 &piece, Row row, uint i)
{
    piece.values = row.vectors[i];
    piece.scale = row.scales[i / 2];
}

// Piece i of a row, times x.
static float product(thread const piece_q8_0 &piece, uint i, RoundedRow x)
{
    return float(dot16(piece.values, x, i)) * (float(piece.scale) * x.scales[i / 2].x);
}
