// q4_0.h — GGUF's format q4_0: 4 bits a weight, 32 neighbours of a row share a scale
//
//   weight = scale · (value − 8)
//
// Byte i holds values i (low nibble) and i + 16 (high nibble).
#pragma once
#include "formats/blocks.h"

struct block_q4_0 {
    static constant constexpr uint VALUES = 32, PARTS = 1, PIECES = 16;
    half scale;
    uchar nibbles[16];
};

static float scale_of(device const block_q4_0 *block) { return float(block->scale); }

static float2 unpack(device const block_q4_0 *block, uint, uint i)
{
    uint byte = block->nibbles[i];
    return float2(byte & 15, byte >> 4) - 8.0f;
}
