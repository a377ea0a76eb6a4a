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
    device const uchar *scales = block->scales;
    float d = float(block->d), d_least = float(block->d_least);
    float low = d * scale_at(scales, 2 * part) * float(byte & 15) - d_least * least_at(scales, 2 * part);
    float high = d * scale_at(scales, 2 * part + 1) * float(byte >> 4) - d_least * least_at(scales, 2 * part + 1);
    return float2(low, high);
}
