// q8_0.h — GGUF's format q8_0: 8 bits a weight, 32 neighbours of a row share a scale
//
//   weight = scale · value
#pragma once
#include "formats/blocks.h"

struct block_q8_0 {
    static constant constexpr uint VALUES = 32, PARTS = 1, PIECES = 32;
    half scale;
    char values[32];
};

static float scale_of(device const block_q8_0 *block) { return float(block->scale); }

static float unpack(device const block_q8_0 *block, uint, uint i) { return float(block->values[i]); }
