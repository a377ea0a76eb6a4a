// pieces_k.h — pieces.h for formats of 256 weights: an eighth of them has a scale, of q6_K each half of it
#pragma once
#include "parts/pieces.h"

// --- q4_K, q5_K: 16 bytes of nibbles, half of two neighbouring eighths ---

struct piece_q4_K {
    static constant constexpr uint WEIGHTS = 32, PIECES = 8, VECTORS = 9, AHEAD = 2;
    uint4 head; // d and d_least, scales
    uint4 nibbles;
};

static void read_piece(thread piece_q4_K &piece, Row row, uint i)
{
    device const uint4 *block = row.vectors + i / 8 * 9;
    piece.head = block[0];
    piece.nibbles = block[1 + i % 8];
}

struct piece_q5_K {
    static constant constexpr uint WEIGHTS = 32, PIECES = 8, VECTORS = 11, AHEAD = 2;
    uint4 head;
    uint4 nibbles;
    uint4 fifth;
};

static void read_piece(thread piece_q5_K &piece, Row row, uint i)
{
    device const uint4 *block = row.vectors + i / 8 * 11;
    piece.head = block[0];
    piece.fifth = block[1 + i % 2];
    piece.nibbles = block[3 + i % 8];
}

// Two eighths, of which `low` and `high` are half: their scales and least values lie in two bytes side by side, see
// formats/scales_k.h. Each half takes the least value of one of them.
static float eighths(uint4 head, uint4 low, uint4 high, uint i, RoundedRow x)
{
    uint pair = i % 8 / 2, half_of = i % 2, shift = pair % 2 * 16;
    uint first = head.y >> shift, second = head.z >> shift, last = head.w >> shift;
    uint scales = pair < 2 ? first & 0x3f3f : (last & 0x0f0f) | (first >> 2 & 0x3030);
    uint leasts = pair < 2 ? second & 0x3f3f : (last >> 4 & 0x0f0f) | (second >> 2 & 0x3030);
    uint at = i / 8 * 16 + pair * 4 + half_of, eighth = i / 8 * 8 + 2 * pair;
    float2 d = float2(as_type<half2>(head.x)), x_low = x.scales[eighth], x_high = x.scales[eighth + 1];
    float sum = x_low.x * float(int(scales & 255) * dot16(low, x, at)) +
                x_high.x * float(int(scales >> 8) * dot16(high, x, at + 2));
    return d.x * sum - d.y * (half_of ? float(leasts >> 8) * x_high.y : float(leasts & 255) * x_low.y);
}

static float product(thread const piece_q4_K &piece, uint i, RoundedRow x)
{
    return eighths(piece.head, piece.nibbles & 0x0f0f0f0f, piece.nibbles >> 4 & 0x0f0f0f0f, i, x);
}
static float product(thread const piece_q5_K &piece, uint i, RoundedRow x)
{
    uint4 fifth = piece.fifth >> i % 8 / 2 * 2;
    uint4 low = (piece.nibbles & 0x0f0f0f0f) | (fifth & 0x01010101) << 4;
    uint4 high = (piece.nibbles >> 4 & 0x0f0f0f0f) | (fifth >> 1 & 0x01010101) << 4;
    return eighths(piece.head, low, high, i, x);
}

// --- q6_K: 16 neighbours of each quarter of a part ---

struct piece_q6_K {
    static constant constexpr uint WEIGHTS = 64, PIECES = 4, VECTORS = 13, AHEAD = 1;
    uint4 first, second; // low bits of the quarters 0 and 2, and of 1 and 3
    uint4 upper;         // two bits of each
    uint2 scales;        // of the part
    half d;
};

static void read_piece(thread piece_q6_K &piece, Row row, uint i)
{
    device const uint4 *block = row.vectors + i / 4 * 13;
    uint part = i % 4 / 2, half_of = i % 2;
    piece.first = block[4 * part + half_of];
    piece.second = block[4 * part + 2 + half_of];
    piece.upper = block[8 + 2 * part + half_of];
    piece.scales = ((device const uint2 *)(block + 12))[part];
    piece.d = row.scales[i / 4];
}

// 16 values of 6 bits, less 32, and their scale, a byte with a sign at the bottom.
static int scaled(uint4 low, uint4 upper, uint scale, RoundedRow x, uint i)
{
    uint4 values = ((low & 0x0f0f0f0f) | (upper & 0x03030303) << 4) + 0x60606060u ^ 0x80808080u;
    return (int(scale << 24) >> 24) * dot16(values, x, i);
}

static float product(thread const piece_q6_K &piece, uint i, RoundedRow x)
{
    uint block = i / 2 * 4, at = i / 2 * 8 + i % 2, shift = i % 2 * 8; // block of 32, 16 values, scale of x's part
    uint2 scales = piece.scales >> shift;
    float sum = x.scales[block].x * float(scaled(piece.first, piece.upper, scales.x, x, at)) +
                x.scales[block + 1].x * float(scaled(piece.second, piece.upper >> 2, scales.x >> 16, x, at + 2)) +
                x.scales[block + 2].x * float(scaled(piece.first >> 4, piece.upper >> 4, scales.y, x, at + 4)) +
                x.scales[block + 3].x * float(scaled(piece.second >> 4, piece.upper >> 6, scales.y >> 16, x, at + 6));
    return float(piece.d) * sum;
}
