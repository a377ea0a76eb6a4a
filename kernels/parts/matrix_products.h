// matrix_products.h — products of more than 8×8 matrices: of halves, with sums of floats
//
// Primitives: these are their plain definitions. A target that has one instruction for several of these products brings
// its own, see docs/kernels/targets.md.
#pragma once

// 16 columns of sum, from 16 n on, += 16 columns of a, from 16 k on, · b [16,16], which lies in threadgroup memory
// by rows or, `transposed`, by columns.
template <uint N, uint K>
static void multiply_16x16(thread simdgroup_float8x8 (&sum)[2][N], uint n, thread simdgroup_half8x8 (&a)[2][K], uint k,
                           threadgroup const half *b, uint stride, bool transposed)
{
    for (uint i = 0; i < 2; i++)
        for (uint j = 0; j < 2; j++) {
            simdgroup_half8x8 factor;
            simdgroup_load(factor, b + (transposed ? j * stride + i : i * stride + j) * 8, stride, 0, transposed);
            for (uint r = 0; r < 2; r++)
                simdgroup_multiply_accumulate(sum[r][2 * n + j], a[r][2 * k + i], factor, sum[r][2 * n + j]);
        }
}

// Eight rows of 32 columns as four matrices. Which columns go to which of them is the target's choice, the same for both
// factors: a sum over all columns does not mind.
template <typename Pointer>
static void load_part(thread simdgroup_half8x8 (&part)[4], Pointer from, ulong stride, bool transposed)
{
    for (uint i = 0; i < 4; i++) simdgroup_load(part[i], from + 8 * i, stride, 0, transposed);
}

// sum[r] += Σ_i a[r][i] · b[i]
static void multiply_part(thread simdgroup_float8x8 (&sum)[2], thread simdgroup_half8x8 (&a)[2][4],
                          thread simdgroup_half8x8 (&b)[4])
{
    for (uint i = 0; i < 4; i++)
        for (uint r = 0; r < 2; r++) simdgroup_multiply_accumulate(sum[r], a[r][i], b[i], sum[r]);
}
