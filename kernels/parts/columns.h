// columns.h — four rows of 32 columns of weights times four values of x, in integers
//
// A primitive: these are its plain definitions, which say what is meant. A target with wider instructions brings its
// own, see docs/kernels/targets.md.
#pragma once

// What a lane has of 32 sums: one, if there are 32 lanes.
typedef int IntColumns;
typedef float FloatColumns;

// sum + Σ_i byte i of word · x[i]
static IntColumns add_products(IntColumns sum, threadgroup const uint *word, device const char *x)
{
    for (uint i = 0; i < 4; i++) sum += int(*word >> 8 * i & 255) * int(x[i]);
    return sum;
}
static FloatColumns scaled(IntColumns sum, threadgroup const float *scale, float factor)
{
    return float(sum) * (*scale * factor);
}
// The first `count` columns.
static void store(device float *out, FloatColumns total, uint count, bool add)
{
    if (count > 0) *out = add ? *out + total : total;
}
