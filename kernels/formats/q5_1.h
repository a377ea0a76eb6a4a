// q5_1.h — GGUF's format q5_1: 5 bits a weight, 32 neighbours of a row share a scale and a least value
//
//   weight = scale · value + least
//
// Byte i holds the low four bits of values i (low nibble) and i + 16 (high nibble), bit i of fifth[0] and fifth[1]
// their highest bits.
#pragma once
#include "formats/blocks.h"

struct block_q5_1 {
    static constant constexpr uint VALUES = 32, PARTS = 1, PIECES = 16;
    half scale;
    half least;
    ushort fifth[2];
    uchar nibbles[16];
};

static float scale_of(device const block_q5_1 *) { return 1.0f; }

static float2 unpack(device const block_q5_1 *block, uint, uint i)
{
    uint byte = block->nibbles[i];
    uint low = (byte & 15) | (uint(block->fifth[0]) >> i & 1) << 4;
    uint high = byte >> 4 | (uint(block->fifth[1]) >> i & 1) << 4;
    return float(block->scale) * float2(low, high) + float(block->least);
}
