// matrix_softmax.h — online softmax of scores that lie in 8×8 matrices: 16 rows, 8 K keys, values of 8 C channels
//
// A lane has some elements of every matrix: COLUMNS neighbours of each of LANE_ROWS rows.
#pragma once
#include "parts/matrix_layout.h"
#include "parts/simd_width.h"

constant constexpr uint COLUMNS = SIMD_WIDTH < 8 ? 8 : 2;
constant constexpr uint LANE_ROWS = 64 / COLUMNS / SIMD_WIDTH;
constant constexpr uint ELEMENTS = LANE_ROWS * COLUMNS;

template <uint N> static void clear(thread simdgroup_float8x8 (&floats)[2][N])
{
#pragma unroll(UNROLL)
    for (uint i = 0; i < 2 * N; i++) floats[i / N][i % N] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
}

// A row of token t = row / heads sees the last `window` of `before` + min(t + 1, count) of these keys: the scores of
// the others become −∞.
template <uint K>
static void hide(thread simdgroup_float8x8 (&score)[2][K], uint first_row, uint heads, int before, uint count,
                 uint window, uint lane)
{
#pragma unroll(UNROLL)
    for (uint i = 0; i < 2 * K; i++) {
        thread auto &elements = score[i / K][i % K].thread_elements();
        for (uint e = 0; e < ELEMENTS; e++) {
            uint t = (first_row + i / K * 8 + matrix_row(lane) + e / COLUMNS) / heads;
            uint s = i % K * 8 + matrix_column(lane) + e % COLUMNS;
            int left = before + int(min(t + 1, count)) - int(s); // keys to the end of what it sees, this one included
            if (left <= 0 || uint(left) > window) elements[e] = -INFINITY;
        }
    }
}

// Of a lane's rows the largest score so far, and of its own elements the sum of 2^(score − m).
struct Softmax {
    float m[2 * LANE_ROWS], l[2 * LANE_ROWS];
};

// weights = 2^(score − m). What was summed before a larger score came shrinks.
template <uint K, uint C>
static void weigh(thread simdgroup_float8x8 (&score)[2][K], thread Softmax &softmax,
                  thread simdgroup_half8x8 (&weights)[2][K], thread simdgroup_float8x8 (&sum)[2][C])
{
#pragma unroll(UNROLL)
    for (uint i = 0; i < 2 * LANE_ROWS; i++) {
        uint r = i / LANE_ROWS, first = i % LANE_ROWS * COLUMNS;
        thread float &m = softmax.m[i], &l = softmax.l[i];
        float largest = m;
#pragma unroll(UNROLL)
        for (uint k = 0; k < K; k++)
            for (uint e = first; e < first + COLUMNS; e++) largest = max(largest, score[r][k].thread_elements()[e]);
        largest = row_max(largest);
        float shrink = fast::exp2(m - largest);
        m = largest;
        l *= shrink;
#pragma unroll(UNROLL)
        for (uint k = 0; k < K; k++)
            for (uint e = first; e < first + COLUMNS; e++) {
                float weight = fast::exp2(score[r][k].thread_elements()[e] - largest);
                l += weight;
                weights[r][k].thread_elements()[e] = half(weight);
            }
#pragma unroll(UNROLL)
        for (uint c = 0; c < C; c++)
            for (uint e = first; e < first + COLUMNS; e++) sum[r][c].thread_elements()[e] *= shrink;
    }
}

// What a lane has of a block's sums and softmax, to and from threadgroup memory.
static constexpr uint handed_over(uint C) { return 2 * C * ELEMENTS + 4 * LANE_ROWS; }

template <uint C>
static void hand_over(thread simdgroup_float8x8 (&sum)[2][C], thread Softmax &softmax, threadgroup float *other)
{
#pragma unroll(UNROLL)
    for (uint i = 0; i < 2 * C; i++)
        for (uint e = 0; e < ELEMENTS; e++)
            other[(i * ELEMENTS + e) * SIMD_WIDTH] = sum[i / C][i % C].thread_elements()[e];
    for (uint i = 0; i < 2 * LANE_ROWS; i++) {
        other[(2 * C * ELEMENTS + i) * SIMD_WIDTH] = softmax.m[i];
        other[(2 * C * ELEMENTS + 2 * LANE_ROWS + i) * SIMD_WIDTH] = softmax.l[i];
    }
}

template <uint C>
static void merge(thread simdgroup_float8x8 (&sum)[2][C], thread Softmax &softmax, threadgroup const float *other)
{
#pragma unroll(UNROLL)
    for (uint i = 0; i < 2 * LANE_ROWS; i++) {
        uint r = i / LANE_ROWS, first = i % LANE_ROWS * COLUMNS;
        float m = softmax.m[i], other_m = other[(2 * C * ELEMENTS + i) * SIMD_WIDTH], largest = max(m, other_m);
        float shrink = fast::exp2(m - largest), other_shrink = fast::exp2(other_m - largest);
        float other_l = other[(2 * C * ELEMENTS + 2 * LANE_ROWS + i) * SIMD_WIDTH];
        softmax.l[i] = softmax.l[i] * shrink + other_l * other_shrink;
#pragma unroll(UNROLL)
        for (uint c = 0; c < C; c++)
            for (uint e = first; e < first + COLUMNS; e++) {
                float part = other[((r * C + c) * ELEMENTS + e) * SIMD_WIDTH];
                sum[r][c].thread_elements()[e] = sum[r][c].thread_elements()[e] * shrink + part * other_shrink;
            }
    }
}
