// q4_K.h — GGUF's format q4_K: 4 bits a weight, 32 neighbours of a row share a scale and a least value, 256 share d
// and d_least, which these are multiples of
//
//   weight = d · scale · value − d_least · least
//
// A block is four parts of 64 values. Of these, byte i holds values i (low nibble) and i + 32 (high nibble).
#pragma once
#include "formats/blocks.h"
#include "formats/scales_k.h"

struct block_q4_K {
    static constant constexpr uint VALUES = 256, PARTS = 4, PIECES = 32;
    half d;
    half d_least;
    uchar scales[12];
    uchar nibbles[4][32];
};

static float scale_of(device const block_q4_K *) { return 1.0f; }

static float2 unpack(device const block_q4_K *block, uint part, uint i)
{
    uint byte = block->nibbles[part][i];
    uint2 first = scale_and_least(block->scales, 2 * part), second = scale_and_least(block->scales, 2 * part + 1);
    float2 scale = float(block->d) * float2(first.x, second.x), least = float(block->d_least) * float2(first.y, second.y);
    return scale * float2(byte & 15, byte >> 4) - least;
}
