// q4_1.h — GGUF's format q4_1: 4 bits a weight, 32 neighbours of a row share a scale and a least value
//
//   weight = scale · value + least
//
// Byte i holds values i (low nibble) and i + 16 (high nibble).
#pragma once
#include "formats/blocks.h"

struct block_q4_1 {
    static constant constexpr uint VALUES = 32, PARTS = 1, PIECES = 16;
    half scale;
    half least;
    uchar nibbles[16];
};

static float scale_of(device const block_q4_1 *) { return 1.0f; }

static float2 unpack(device const block_q4_1 *block, uint, uint i)
{
    uint byte = block->nibbles[i];
    return float(block->scale) * float2(byte & 15, byte >> 4) + float(block->least);
}
