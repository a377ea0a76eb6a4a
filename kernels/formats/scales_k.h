// scales_k.h — what q4_K and q5_K share: eight scales and eight least values of 6 bits each in 12 bytes
//
// Bytes 0 … 3 hold scales 0 … 3 and bytes 4 … 7 least values 0 … 3, in their low six bits. Byte 8 + j holds the low
// four bits of scale 4 + j (low nibble) and of least value 4 + j; their upper two bits are those of bytes j and 4 + j.
#pragma once

// Scale, and least value, number i: low bits, and upper ones.
static float scale_at(device const uchar *packed, uint i)
{
    return (packed[i < 4 ? i : i + 4] & 15) | (packed[i % 4] >> (i < 4 ? 4 : 6) & 3) << 4;
}
static float least_at(device const uchar *packed, uint i)
{
    return (packed[4 + i] >> (i < 4 ? 0 : 4) & 15) | (packed[4 + i % 4] >> (i < 4 ? 4 : 6) & 3) << 4;
}
