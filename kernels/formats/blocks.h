// blocks.h — what the pages of the block formats have in common
//
// A block is a few neighbours of a row that share a scale. It is unpacked by pieces: unpack(block, part, i) gives the
// values i, i + PIECES, i + 2 PIECES … of a part, as a float, float2 or float4, and scale_of(block) what they are to be
// multiplied by. Each format has, in its struct,
//   VALUES  of a block,   PARTS  that it is made of,   PIECES  of a part.
#pragma once

// Value i of a piece.
static float of_piece(float piece, uint) { return piece; }
static float of_piece(float2 piece, uint i) { return piece[i]; }
static float of_piece(float4 piece, uint i) { return piece[i]; }

// Σ_j piece[j] · x[j · apart]
static float piece_times(float piece, device const float *x, uint) { return piece * x[0]; }
static float piece_times(float2 piece, device const float *x, uint apart)
{
    return piece.x * x[0] + piece.y * x[apart];
}
static float piece_times(float4 piece, device const float *x, uint apart)
{
    return piece.x * x[0] + piece.y * x[apart] + piece.z * x[2 * apart] + piece.w * x[3 * apart];
}

// Value i of a block.
template <typename Block>
static float value(device const Block *block, uint i)
{
    constexpr uint SIZE = Block::VALUES / Block::PARTS; // of a part
    return scale_of(block) * of_piece(unpack(block, i / SIZE, i % Block::PIECES), i % SIZE / Block::PIECES);
}
