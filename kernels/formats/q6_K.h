// q6_K.h — GGUF's format q6_K: 6 bits a weight, 16 neighbours of a row share a scale, 256 share d
//
//   weight = d · scale · (value − 32)
//
// A block is two parts of 128 values. Of these, byte i of `low` holds the low four bits of values i (low nibble) and
// i + 64, byte i + 32 those of values i + 32 and i + 96; byte i of `high` the upper two bits of all four, lowest first.
#pragma once
#include "formats/blocks.h"

struct block_q6_K {
    static constant constexpr uint VALUES = 256, PARTS = 2, PIECES = 32;
    uchar low[2][64];
    uchar high[2][32];
    char scale[2][8];
    half d;
};

static float scale_of(device const block_q6_K *block) { return float(block->d); }

static float4 unpack(device const block_q6_K *block, uint part, uint i)
{
    uint first = block->low[part][i], second = block->low[part][i + 32], high = block->high[part][i];
    device const char *scale = block->scale[part] + i / 16;
    float4 value = float4((first & 15) | (high & 3) << 4, (second & 15) | (high >> 2 & 3) << 4,
                          first >> 4 | (high >> 4 & 3) << 4, second >> 4 | high >> 6 << 4);
    return float4(scale[0], scale[2], scale[4], scale[6]) * (value - 32.0f);
}
