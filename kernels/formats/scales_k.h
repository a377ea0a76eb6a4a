// scales_k.h — what q4_K and q5_K share: eight scales and eight least values of 6 bits each in 12 bytes
//
// Bytes 0 … 3 hold scales 0 … 3 and bytes 4 … 7 least values 0 … 3, in their low six bits. Byte 8 + j holds the low
// four bits of scale 4 + j (low nibble) and of least value 4 + j; their upper two bits are those of bytes j and 4 + j.
#pragma once

// Number i of them: a scale, and a least value.
static uint2 scale_and_least(device const uchar *packed, uint i)
{
    if (i < 4) return uint2(packed[i] & 63, packed[i + 4] & 63);
    return uint2((packed[i + 4] & 15) | packed[i - 4] >> 6 << 4, packed[i + 4] >> 4 | packed[i] >> 6 << 4);
}
