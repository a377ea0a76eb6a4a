// words.h — the weights of a row as bytes without a sign, four to a word, 32 to a block, for integer_matmul.metal
//
//   weight 32 · block + 4i + j = row_scale(row, k) · (byte j of word_of(row, block, i) − 128) + row_shift(row, k)
//
// k counts the scales of a row: one for each block, of some formats in words_k.h one for each half of it.
// The middle level of a format is 128, so that bytes stay small where weights have no least value: their shift is 0.
#pragma once
#include "formats/all.h"

// Four bytes, which may lie at any address.
static uint word_at(device const uchar *four)
{
    return uint(four[0]) | uint(four[1]) << 8 | uint(four[2]) << 16 | uint(four[3]) << 24;
}

// Values 4i … 4i + 3 of 32 nibbles, the first 16 low ones and the others high ones; and their fifth bits in their place.
static uint nibbles_at(device const uchar *nibbles, uint i)
{
    return word_at(nibbles + 4 * (i % 4)) >> i / 4 * 4 & 0x0f0f0f0fu;
}
static uint fifths_at(device const ushort *fifth, uint i)
{
    uint bits = fifth[i / 4] >> 4 * (i % 4) & 15;
    return (bits & 1) << 4 | (bits & 2) << 11 | (bits & 4) << 18 | (bits & 8) << 25;
}

static uint word_of(device const block_q8_0 *row, uint block, uint i)
{
    return word_at((device const uchar *)row[block].values + 4 * i) ^ 0x80808080u;
}
static uint word_of(device const block_q4_0 *row, uint block, uint i)
{
    return nibbles_at(row[block].nibbles, i) + 0x78787878u; // − 8 + 128
}
static uint word_of(device const block_q4_1 *row, uint block, uint i)
{
    return nibbles_at(row[block].nibbles, i) + 0x78787878u;
}
static uint word_of(device const block_q5_0 *row, uint block, uint i)
{
    return (nibbles_at(row[block].nibbles, i) | fifths_at(row[block].fifth, i)) + 0x70707070u; // − 16 + 128
}
static uint word_of(device const block_q5_1 *row, uint block, uint i)
{
    return (nibbles_at(row[block].nibbles, i) | fifths_at(row[block].fifth, i)) + 0x70707070u;
}
static uint word_of(device const block_iq4_nl *row, uint block, uint i)
{
    uint nibbles = nibbles_at(row[block].nibbles, i), word = 0;
    for (uint j = 0; j < 4; j++) word |= uint(IQ4_NL_LEVELS[nibbles >> 8 * j & 15] + 128) << 8 * j;
    return word;
}

template <typename Block> static float row_scale(device const Block *row, uint k) { return float(row[k].scale); }

template <typename Block> static float row_shift(device const Block *, uint) { return 0.0f; }
static float row_shift(device const block_q4_1 *row, uint block)
{
    return float(row[block].least) + 8.0f * float(row[block].scale);
}
static float row_shift(device const block_q5_1 *row, uint block)
{
    return float(row[block].least) + 16.0f * float(row[block].scale);
}

// Whether a format has shifts.
template <typename Block> static bool is_shifted(device const Block *) { return false; }
static bool is_shifted(device const block_q4_1 *) { return true; }
static bool is_shifted(device const block_q5_1 *) { return true; }
