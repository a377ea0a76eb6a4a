// fused_rmsnorm_linear.metal — RMSNorm, products of its result and, where wanted, a gated activation, for decoding
//
//   rmsnorm_linear   out[t,n] = y[t,n]        y[t,n] = Σ_k norm(x[t])[k] · weight[n,k] + bias[n]
//   rmsnorm_gated    out[t,n] = f(y of gate[t,n]) · y of up[t,n],   f = silu or gelu
//
// Of a row RMSNorm is a factor, 1 / sqrt(Σ_k x[k]² / K + epsilon), which may as well be multiplied in after the sum: a
// simdgroup adds up the squares on the way, and no thread waits for another. What are three products for the model, q, k
// and v, is one here: their rows follow each other. A simdgroup takes ROWS rows, for rmsnorm_gated one of gate and the
// same one of up; its lanes stride over vectors of four floats or eight halves (vectors.h), of which the first ones of the
// weights are on their way before x is made. K is a multiple of a vector's columns. Grid ⌈N / ROWS⌉ simdgroups, for
// rmsnorm_gated N.
#include <metal_stdlib>
using namespace metal;
#include "parts/gelu.h"
#include "parts/side_by_side.h"
#include "parts/silu.h"
#include "parts/vectors.h"
#include "parts/wait.h"

constant constexpr uint ROWS = 2; // host: of the weights, per simdgroup
// Vectors of each row that a lane has on their way at once; more of them leave room for fewer simdgroups.
constant constexpr uint FLOATS_AHEAD = 4, HALVES_AHEAD = 2;
constant constexpr uint NARROW_AHEAD = 3; // host: of rows so short that all lanes together have them on their way

// A lane's next vectors of each row; past the end the last one, which x has zeros for.
template <typename Vector, uint AHEAD>
static void read_part(thread Vector (&part)[ROWS][AHEAD], device const Vector *first_row, device const Vector *second_row,
                      uint vectors, uint first, uint lanes)
{
    for (uint i = 0; i < AHEAD; i++) {
        uint k = min(first + i * lanes, vectors - 1);
        part[0][i] = first_row[k];
        part[1][i] = second_row[k];
    }
}

// norm(x) · each row, for COUNT tokens from x on, of which the last one stands for those that are not there. `part` has
// the rows' first vectors.
template <uint FOURS, typename Vector, uint AHEAD, uint COUNT>
static void multiply(thread Vector (&part)[ROWS][AHEAD], device const Vector *first_row, device const Vector *second_row,
                     device const float4 *x, device const float4 *norm, float epsilon, uint vectors, uint count, uint lane,
                     uint lanes, thread float (&sum)[ROWS][COUNT])
{
    float squares[COUNT] = {};
    for (uint t = 0; t < COUNT; t++) sum[0][t] = sum[1][t] = 0.0f;
    for (uint first = lane; first < vectors; first += AHEAD * lanes) {
        if (first != lane) read_part(part, first_row, second_row, vectors, first, lanes);
        for (uint i = 0; i < AHEAD; i++) {
            uint k = first + i * lanes;
            for (uint j = 0; j < FOURS; j++) {
                uint at = min(k, vectors - 1) * FOURS + j;
                float4 weight = norm[at];
                for (uint t = 0; t < COUNT; t++) {
                    float4 value = x[ulong(min(t, count - 1)) * vectors * FOURS + at];
                    if (k >= vectors) value = float4(0.0f);
                    squares[t] += dot(value, value);
                    value *= weight;
                    for (uint r = 0; r < ROWS; r++) sum[r][t] += dot(value, four_of(part[r][i], j));
                }
            }
        }
    }
    for (uint t = 0; t < COUNT; t++) {
        float factor = 1.0f / sqrt(simd_sum(squares[t]) / float(4 * FOURS * vectors) + epsilon);
        for (uint r = 0; r < ROWS; r++) sum[r][t] = simd_sum(sum[r][t]) * factor;
    }
}

template <typename Vector, uint FOURS, uint AHEAD, uint COUNT>
kernel void rmsnorm_linear(
    device const float4 *x [[buffer(0)]],           // [T,K/4]
    device const float4 *norm_weight [[buffer(1)]], // [K/4]
    device const Vector *weight_a [[buffer(2)]],    // [A,vectors]
    device const Vector *weight_b [[buffer(3)]],    // [B,vectors]
    device const Vector *weight_c [[buffer(4)]],    // [C,vectors]
    device const float *bias_a [[buffer(5)]],       // [A]
    device const float *bias_b [[buffer(6)]],       // [B]
    device const float *bias_c [[buffer(7)]],       // [C]
    device float *out [[buffer(8)]],                // [T,A+B+C]
    constant uint &T [[buffer(9)]],
    constant uint &K [[buffer(10)]],
    constant uint &A [[buffer(11)]],
    constant uint &B [[buffer(12)]],
    constant uint &C [[buffer(13)]],
    constant float &epsilon [[buffer(14)]],
    uint group [[threadgroup_position_in_grid]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint n = (group * simdgroups + simdgroup) * ROWS, N = A + B + C, vectors = K / (4 * FOURS);
    if (n >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width), last = min(n + 1, N - 1);
    device const Vector *first_row = row_of(weight_a, weight_b, weight_c, n, A, B, vectors);
    device const Vector *second_row = row_of(weight_a, weight_b, weight_c, last, A, B, vectors);
    float bias[ROWS] = {*row_of(bias_a, bias_b, bias_c, n, A, B, 1), *row_of(bias_a, bias_b, bias_c, last, A, B, 1)};
    Vector part[ROWS][AHEAD];
    // Weights never change: they are read before the kernel that makes x has ended.
    read_part(part, first_row, second_row, vectors, lane, lanes);
    wait_for_previous_kernel();
    for (uint begin = 0; begin < T; begin += COUNT) {
        float y[ROWS][COUNT];
        uint count = min(COUNT, T - begin);
        multiply<FOURS>(part, first_row, second_row, x + ulong(begin) * (K / 4), norm_weight, epsilon, vectors, count,
                        lane, lanes, y);
        for (uint t = 0; t < count && lane == 0; t++)
            for (uint r = 0; r < ROWS && n + r < N; r++) out[ulong(begin + t) * N + n + r] = y[r][t] + bias[r];
        if (begin + COUNT < T) read_part(part, first_row, second_row, vectors, lane, lanes);
    }
}

template <typename Vector, uint FOURS, uint AHEAD, uint COUNT>
kernel void rmsnorm_gated(
    device const float4 *x [[buffer(0)]],           // [T,K/4]
    device const float4 *norm_weight [[buffer(1)]], // [K/4]
    device const Vector *gate [[buffer(2)]],        // [N,vectors]
    device const Vector *up [[buffer(3)]],          // [N,vectors]
    device const float *gate_bias [[buffer(4)]],    // [N]
    device const float *up_bias [[buffer(5)]],      // [N]
    device float *out [[buffer(6)]],                // [T,N]
    constant uint &T [[buffer(7)]],
    constant uint &K [[buffer(8)]],
    constant uint &N [[buffer(9)]],
    constant uint &gelu [[buffer(10)]], // 1: f = gelu
    constant float &epsilon [[buffer(11)]],
    uint group [[threadgroup_position_in_grid]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint n = group * simdgroups + simdgroup, vectors = K / (4 * FOURS);
    if (n >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width);
    device const Vector *gate_row = gate + ulong(n) * vectors, *up_row = up + ulong(n) * vectors;
    float bias[ROWS] = {gate_bias[n], up_bias[n]};
    Vector part[ROWS][AHEAD];
    // Weights never change: they are read before the kernel that makes x has ended.
    read_part(part, gate_row, up_row, vectors, lane, lanes);
    wait_for_previous_kernel();
    for (uint begin = 0; begin < T; begin += COUNT) {
        float y[ROWS][COUNT];
        uint count = min(COUNT, T - begin);
        multiply<FOURS>(part, gate_row, up_row, x + ulong(begin) * (K / 4), norm_weight, epsilon, vectors, count, lane,
                        lanes, y);
        for (uint t = 0; t < count && lane == 0; t++) {
            float open = y[0][t] + bias[0];
            open = gelu ? gelu_of(open) : silu_of(open);
            out[ulong(begin + t) * N + n] = open * (y[1][t] + bias[1]);
        }
        if (begin + COUNT < T) read_part(part, gate_row, up_row, vectors, lane, lanes);
    }
}

// In fours four tokens at a time.
template [[host_name("rmsnorm_linear_f32")]] kernel decltype(rmsnorm_linear<float4, 1, FLOATS_AHEAD, 1>) rmsnorm_linear<float4, 1, FLOATS_AHEAD, 1>;
template [[host_name("rmsnorm_linear_f16")]] kernel decltype(rmsnorm_linear<uint4, 2, HALVES_AHEAD, 1>) rmsnorm_linear<uint4, 2, HALVES_AHEAD, 1>;
template [[host_name("rmsnorm_linear_narrow_f16")]] kernel decltype(rmsnorm_linear<uint4, 2, NARROW_AHEAD, 1>) rmsnorm_linear<uint4, 2, NARROW_AHEAD, 1>;
template [[host_name("rmsnorm_linear_fours_f32")]] kernel decltype(rmsnorm_linear<float4, 1, FLOATS_AHEAD, 4>) rmsnorm_linear<float4, 1, FLOATS_AHEAD, 4>;
template [[host_name("rmsnorm_linear_fours_f16")]] kernel decltype(rmsnorm_linear<uint4, 2, HALVES_AHEAD, 4>) rmsnorm_linear<uint4, 2, HALVES_AHEAD, 4>;
template [[host_name("rmsnorm_gated_f32")]] kernel decltype(rmsnorm_gated<float4, 1, FLOATS_AHEAD, 1>) rmsnorm_gated<float4, 1, FLOATS_AHEAD, 1>;
template [[host_name("rmsnorm_gated_f16")]] kernel decltype(rmsnorm_gated<uint4, 2, HALVES_AHEAD, 1>) rmsnorm_gated<uint4, 2, HALVES_AHEAD, 1>;
template [[host_name("rmsnorm_gated_narrow_f16")]] kernel decltype(rmsnorm_gated<uint4, 2, NARROW_AHEAD, 1>) rmsnorm_gated<uint4, 2, NARROW_AHEAD, 1>;
template [[host_name("rmsnorm_gated_fours_f32")]] kernel decltype(rmsnorm_gated<float4, 1, FLOATS_AHEAD, 4>) rmsnorm_gated<float4, 1, FLOATS_AHEAD, 4>;
template [[host_name("rmsnorm_gated_fours_f16")]] kernel decltype(rmsnorm_gated<uint4, 2, HALVES_AHEAD, 4>) rmsnorm_gated<uint4, 2, HALVES_AHEAD, 4>;
