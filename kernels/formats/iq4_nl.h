// iq4_nl.h — GGUF's format iq4_nl: 4 bits a weight, 32 neighbours of a row share a scale
//
//   weight = scale · LEVELS[value]
//
// The levels lie closer together near 0, as weights do. Byte i holds values i (low nibble) and i + 16 (high nibble).
#pragma once
#include "formats/blocks.h"

struct block_iq4_nl {
    static constant constexpr uint VALUES = 32, PARTS = 1, PIECES = 16;
    half scale;
    uchar nibbles[16];
};

constant constexpr char IQ4_NL_LEVELS[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

static float scale_of(device const block_iq4_nl *block) { return float(block->scale); }

static float2 unpack(device const block_iq4_nl *block, uint, uint i)
{
    uint byte = block->nibbles[i];
    return float2(IQ4_NL_LEVELS[byte & 15], IQ4_NL_LEVELS[byte >> 4]);
}
