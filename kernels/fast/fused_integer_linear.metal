// fused_integer_linear.metal — norm, rounding to 16 bits, block formats × vector, and what becomes of it, for decoding
//
//   y[n] = Σ_k round(norm(x))[k] · weight[n,k] + bias[n]
//   integer_read    out[n] = f(y[n])                               f = gelu, or nothing
//   integer_gated   out[n] = f(y of gate[n]) · y of up[n]          f = silu or gelu
//   integer_write   stream[n] += y[n]                              x is not normalised
//
// One token, weights that stay blocks: a GPU reads half or a quarter of the bytes of halves, and would lose by making
// floats of them, so it multiplies bytes: x has two for a value. Each threadgroup normalises and rounds x for itself;
// then its whole simdgroups, of which there must be one, take ROWS rows at a time. A lane has several pieces of them on
// their way, the first before x is there, and asks for the next one where one has been multiplied, also of the rows
// that come next. K is a multiple of 32 and of a block's weights, and at most MAX_INPUTS. The grid has as many
// simdgroups as the device runs at once, or as there are rows to take if that is less.
#include <metal_stdlib>
using namespace metal;
#include "parts/gelu.h"
#include "parts/integer_rows.h"
#include "parts/normal_row.h"
#include "parts/silu.h"
#include "parts/wait.h"

constant constexpr uint READ_ROWS = 2, WRITE_ROWS = 1; // host: of weights, at a time

template <typename Piece, uint ROWS>
kernel void integer_read(
    device const float4 *x [[buffer(0)]],           // [K/4]
    device const float4 *norm_weight [[buffer(1)]], // [K/4]
    device const float4 *norm_bias [[buffer(2)]],   // [K/4], of layernorm
    device const uint4 *weight_a [[buffer(3)]],     // [A,K] in pieces
    device const uint4 *weight_b [[buffer(4)]],     // [B,K]
    device const uint4 *weight_c [[buffer(5)]],     // [C,K]
    device const float *bias_a [[buffer(6)]],       // [A]
    device const float *bias_b [[buffer(7)]],       // [B]
    device const float *bias_c [[buffer(8)]],       // [C]
    device float *out [[buffer(9)]],                // [A+B+C]
    constant uint &K [[buffer(10)]],
    constant uint &A [[buffer(11)]],
    constant uint &B [[buffer(12)]],
    constant uint &C [[buffer(13)]],
    constant uint &centred [[buffer(14)]], // 1: layernorm, 0: RMSNorm
    constant uint &gelu [[buffer(15)]],    // 1: f = gelu
    constant float &epsilon [[buffer(16)]],
    uint group [[threadgroup_position_in_grid]],
    uint groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup uint4 high[MAX_INPUTS / 16], low[MAX_INPUTS / 16];
    threadgroup float2 scales[MAX_INPUTS / 32];
    threadgroup float partial[3][32];
    constexpr uint AHEAD = Ahead<Piece, ROWS>::COUNT;
    uint whole = threads / SIMD_WIDTH, N = A + B + C, step = groups * whole * ROWS, pieces = K / Piece::WEIGHTS;
    uint n = simdgroup < whole ? (group * whole + simdgroup) * ROWS : N;
    Matrices all = {weight_a, weight_b, weight_c, bias_a, bias_b, bias_c, A, B, C, K};
    Row row[ROWS], next[ROWS];
    Piece piece[ROWS][AHEAD];
    Line line[TURNS][EACH];
    float bias[ROWS];
    Normal norm = {norm_weight, norm_bias, 0.0f, 1.0f, centred != 0};
    rows_at<Piece>(row, all, n);
    read_first(piece, row, pieces, lane); // weights, norms and biases never change: they need not wait
    read_lines(line, norm, simdgroup * BLOCKS, whole * BLOCKS, K / 32, lane);
    for (uint r = 0; r < ROWS; r++) bias[r] = bias_at(all, n + r);
    wait_for_previous_kernel();
    RoundedRow rounded = {high, low, scales};
    float factor = norm_and_round(x, norm, line, epsilon, rounded, K, whole, partial,
                                  {lane, simdgroup, simdgroups}, thread_index, threads);
    for (; n < N; n += step) {
        float sum[ROWS], next_bias[ROWS];
        for (uint r = 0; r < ROWS; r++) next_bias[r] = bias_at(all, n + step + r);
        rows_at<Piece>(next, all, n + step);
        multiply(piece, row, next, n + step < N, rounded, pieces, lane, sum);
        for (uint r = 0; r < ROWS; r++) {
            float y = sum[r] * factor + bias[r];
            if (lane == 0 && n + r < N) out[n + r] = gelu ? gelu_of(y) : y;
            row[r] = next[r];
            bias[r] = next_bias[r];
        }
    }
}

template <typename Piece, uint ROWS>
kernel void integer_gated(
    device const float4 *x [[buffer(0)]],           // [K/4]
    device const float4 *norm_weight [[buffer(1)]], // [K/4], of RMSNorm
    device const uint4 *gate [[buffer(2)]],         // [N,K] in pieces
    device const uint4 *up [[buffer(3)]],           // [N,K]
    device const float *gate_bias [[buffer(4)]],    // [N]
    device const float *up_bias [[buffer(5)]],      // [N]
    device float *out [[buffer(6)]],                // [N]
    constant uint &K [[buffer(7)]],
    constant uint &N [[buffer(8)]],
    constant uint &gelu [[buffer(9)]], // 1: f = gelu
    constant float &epsilon [[buffer(10)]],
    uint group [[threadgroup_position_in_grid]],
    uint groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup uint4 high[MAX_INPUTS / 16], low[MAX_INPUTS / 16];
    threadgroup float2 scales[MAX_INPUTS / 32];
    threadgroup float partial[3][32];
    uint whole = threads / SIMD_WIDTH, step = groups * whole, pieces = K / Piece::WEIGHTS;
    uint n = simdgroup < whole ? group * whole + simdgroup : N;
    constexpr uint AHEAD = Ahead<Piece, ROWS>::COUNT;
    Row row[ROWS] = {row_of<Piece>(gate, n, N, K), row_of<Piece>(up, n, N, K)};
    Piece piece[ROWS][AHEAD];
    Line line[TURNS][EACH];
    Normal norm = {norm_weight, norm_weight, 0.0f, 1.0f, false};
    uint at = min(n, N - 1);
    float bias[ROWS] = {gate_bias[at], up_bias[at]};
    read_first(piece, row, pieces, lane); // weights, norms and biases never change: they need not wait
    read_lines(line, norm, simdgroup * BLOCKS, whole * BLOCKS, K / 32, lane);
    wait_for_previous_kernel();
    RoundedRow rounded = {high, low, scales};
    float factor = norm_and_round(x, norm, line, epsilon, rounded, K, whole, partial,
                                  {lane, simdgroup, simdgroups}, thread_index, threads);
    for (; n < N; n += step) {
        at = min(n + step, N - 1);
        float sum[ROWS], next_bias[ROWS] = {gate_bias[at], up_bias[at]};
        Row next[ROWS] = {row_of<Piece>(gate, n + step, N, K), row_of<Piece>(up, n + step, N, K)};
        multiply(piece, row, next, n + step < N, rounded, pieces, lane, sum);
        float open = sum[0] * factor + bias[0], y = sum[1] * factor + bias[1];
        open = gelu ? gelu_of(open) : silu_of(open);
        if (lane == 0) out[n] = open * y;
        for (uint r = 0; r < ROWS; r++) {
            row[r] = next[r];
            bias[r] = next_bias[r];
        }
    }
}

template <typename Piece, uint ROWS>
kernel void integer_write(
    device const float4 *x [[buffer(0)]],     // [K/4]
    device const uint4 *weight [[buffer(1)]], // [N,K] in pieces
    device const float *bias [[buffer(2)]],   // [N]
    device float *stream [[buffer(3)]],       // [N]
    constant uint &K [[buffer(4)]],
    constant uint &N [[buffer(5)]],
    uint group [[threadgroup_position_in_grid]],
    uint groups [[threadgroups_per_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]])
{
    threadgroup uint4 high[MAX_INPUTS / 16], low[MAX_INPUTS / 16];
    threadgroup float2 scales[MAX_INPUTS / 32];
    constexpr uint AHEAD = Ahead<Piece, ROWS>::COUNT;
    uint whole = threads / SIMD_WIDTH, step = groups * whole * ROWS, pieces = K / Piece::WEIGHTS;
    uint n = simdgroup < whole ? (group * whole + simdgroup) * ROWS : N;
    Matrices all = {weight, weight, weight, bias, bias, bias, N, 0, 0, K};
    Row row[ROWS], next[ROWS];
    Piece piece[ROWS][AHEAD];
    Line none[TURNS][EACH];
    float before[ROWS]; // bias, and what is added to
    rows_at<Piece>(row, all, n);
    read_first(piece, row, pieces, lane); // weights and biases never change: they need not wait
    for (uint r = 0; r < ROWS; r++) before[r] = bias_at(all, n + r);
    wait_for_previous_kernel();
    for (uint r = 0; r < ROWS; r++)
        if (lane == 0 && n + r < N) before[r] += stream[n + r];
    RoundedRow rounded = {high, low, scales};
    round_row(x, NoNorm(), none, rounded, K / 32, whole, {lane, simdgroup, simdgroups});
    threadgroup_barrier(mem_flags::mem_threadgroup); // rounded: the writes above → the reads below
    for (; n < N; n += step) {
        float sum[ROWS], following[ROWS] = {};
        for (uint r = 0; r < ROWS; r++)
            if (lane == 0 && n + step + r < N) following[r] = bias_at(all, n + step + r) + stream[n + step + r];
        rows_at<Piece>(next, all, n + step);
        multiply(piece, row, next, n + step < N, rounded, pieces, lane, sum);
        for (uint r = 0; r < ROWS; r++) {
            if (lane == 0 && n + r < N) stream[n + r] = before[r] + sum[r];
            row[r] = next[r];
            before[r] = following[r];
        }
    }
}

template [[host_name("integer_read_q4_K")]] kernel decltype(integer_read<piece_q4_K, READ_ROWS>) integer_read<piece_q4_K, READ_ROWS>;
template [[host_name("integer_read_q5_K")]] kernel decltype(integer_read<piece_q5_K, READ_ROWS>) integer_read<piece_q5_K, READ_ROWS>;
template [[host_name("integer_read_q6_K")]] kernel decltype(integer_read<piece_q6_K, READ_ROWS>) integer_read<piece_q6_K, READ_ROWS>;
template [[host_name("integer_read_q8_0")]] kernel decltype(integer_read<piece_q8_0, READ_ROWS>) integer_read<piece_q8_0, READ_ROWS>;
template [[host_name("integer_gated_q4_K")]] kernel decltype(integer_gated<piece_q4_K, 2>) integer_gated<piece_q4_K, 2>;
template [[host_name("integer_gated_q5_K")]] kernel decltype(integer_gated<piece_q5_K, 2>) integer_gated<piece_q5_K, 2>;
template [[host_name("integer_gated_q6_K")]] kernel decltype(integer_gated<piece_q6_K, 2>) integer_gated<piece_q6_K, 2>;
template [[host_name("integer_gated_q8_0")]] kernel decltype(integer_gated<piece_q8_0, 2>) integer_gated<piece_q8_0, 2>;
template [[host_name("integer_write_q4_K")]] kernel decltype(integer_write<piece_q4_K, WRITE_ROWS>) integer_write<piece_q4_K, WRITE_ROWS>;
template [[host_name("integer_write_q5_K")]] kernel decltype(integer_write<piece_q5_K, WRITE_ROWS>) integer_write<piece_q5_K, WRITE_ROWS>;
template [[host_name("integer_write_q6_K")]] kernel decltype(integer_write<piece_q6_K, WRITE_ROWS>) integer_write<piece_q6_K, WRITE_ROWS>;
template [[host_name("integer_write_q8_0")]] kernel decltype(integer_write<piece_q8_0, WRITE_ROWS>) integer_write<piece_q8_0, WRITE_ROWS>;
