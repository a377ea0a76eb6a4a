// q3_K.h — GGUF's format q3_K: 3 bits a weight, 16 neighbours of a row share a scale of 6 bits, 256 share d
//
//   weight = d · (scale − 32) · (value − 4)
//
// A block is two parts of 128 values. Byte i of a part's `low` holds the low two bits of values i, i + 32, i + 64 and
// i + 96, lowest first; byte i of `high` the upper bits of all eight of them, the first part's first. The eight scales
// of the first part have the low nibbles of scale[0] … scale[7], those of the second the high ones; scales 4j … 4j + 3
// have their upper two bits in bits 2j and 2j + 1 of scale[8] … scale[11].
#pragma once
#include "formats/blocks.h"

struct block_q3_K {
    static constant constexpr uint VALUES = 256, PARTS = 2, PIECES = 32;
    uchar high[32];
    uchar low[2][32];
    uchar scale[12];
    half d;
};

static float scale_of(device const block_q3_K *block) { return float(block->d); }

// Scale i of a part's eight, − 32.
static float scale_of(device const block_q3_K *block, uint part, uint i)
{
    uint low = block->scale[i] >> 4 * part & 15, high = block->scale[8 + i % 4] >> (4 * part + i / 4 * 2) & 3;
    return float(low | high << 4) - 32.0f;
}

static float4 unpack(device const block_q3_K *block, uint part, uint i)
{
    uint low = block->low[part][i], high = block->high[i] >> 4 * part, k = i / 16;
    float4 value = float4((low & 3) | (high & 1) << 2, (low >> 2 & 3) | (high >> 1 & 1) << 2,
                          (low >> 4 & 3) | (high >> 2 & 1) << 2, low >> 6 | (high >> 3 & 1) << 2);
    float4 scale = float4(scale_of(block, part, k), scale_of(block, part, k + 2), scale_of(block, part, k + 4),
                          scale_of(block, part, k + 6));
    return scale * (value - 4.0f);
}
