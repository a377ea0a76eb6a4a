// matrix_layout.h — which elements of an 8×8 matrix a lane has, as Apple's GPUs share them out
//
// Primitives: a target that shares them out in another way brings its own, see docs/kernels/targets.md.
#pragma once

// Where its elements begin.
static uint matrix_row(uint lane) { return lane / 16 * 4 + lane / 2 % 4; }
static uint matrix_column(uint lane) { return lane / 8 % 2 * 4 + lane % 2 * 2; }

// The largest and the sum of what the lanes of a row have.
static float row_max(float x)
{
    x = max(x, simd_shuffle_xor(x, 1));
    return max(x, simd_shuffle_xor(x, 8));
}
static float row_sum(float x)
{
    x += simd_shuffle_xor(x, 1);
    return x + simd_shuffle_xor(x, 8);
}
