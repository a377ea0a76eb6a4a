// q2_K.h — GGUF's format q2_K: 2 bits a weight, 16 neighbours of a row share a scale and a least value, 256 share d
// and d_least, which these are multiples of
//
//   weight = d · scale · value − d_least · least
//
// A block is two parts of 128 values. Byte i of a part's `values` holds values i, i + 32, i + 64 and i + 96, lowest bits
// first; a byte of its `scale` a scale (low nibble) and a least value.
#pragma once
#include "formats/blocks.h"

struct block_q2_K {
    static constant constexpr uint VALUES = 256, PARTS = 2, PIECES = 32;
    uchar scale[2][8];
    uchar values[2][32];
    half d;
    half d_least;
};

static float scale_of(device const block_q2_K *) { return 1.0f; }

static float4 unpack(device const block_q2_K *block, uint part, uint i)
{
    uint byte = block->values[part][i];
    device const uchar *scale = block->scale[part] + i / 16;
    uint4 value = uint4(byte & 3, byte >> 2 & 3, byte >> 4 & 3, byte >> 6);
    uint4 both = uint4(scale[0], scale[2], scale[4], scale[6]);
    return float(block->d) * float4(both & 15) * float4(value) - float(block->d_least) * float4(both >> 4);
}
