// bf16.h — bfloat16, the upper half of a float: 8 bits of exponent, 7 of fraction
//
//   weight = the float whose upper 16 bits are stored, and whose others are 0
//
// Kept as a ushort, since Metal's bfloat is newer than macOS 13.
#pragma once

// A weight that is stored by itself, as a number.
static float as_float(float weight) { return weight; }
static float as_float(half weight) { return float(weight); }
static float as_float(ushort weight) { return as_type<float>(uint(weight) << 16); }
