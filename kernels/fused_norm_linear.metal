// fused_norm_linear.metal — layernorm, weights × vector and, where wanted, GELU in one kernel, for decoding
//
//   out[t,n] = f(Σ_k norm(x[t])[k] · weight[n,k] + bias[n]),   f(y) = gelu(y) or y
//
// On a GPU a step of decoding is a chain of short kernels, and starting one costs as much as what it does:
// this one takes the place of layernorm.metal, linear.metal and activation.metal. Every threadgroup makes
// the normalised vectors for itself, in jobs that its simdgroups share out; then each simdgroup takes ROWS
// rows of the weights, of which the first parts are on their way meanwhile. Lanes read four neighbours at a time.
// K is a multiple of 4 and at most 2,432. The grid has as many simdgroups as the device runs at once, or one
// for each ROWS rows if that is less.
#include <metal_stdlib>
using namespace metal;

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint ROWS = 2;
constant constexpr uint AHEAD = 8;           // reads of a weight row that are on their way at once
constant constexpr uint MAX_VECTORS = 1920; // of four neighbours, in threadgroup memory

// Weights never change, so they are read before the kernel that makes x has ended, on targets that start a
// kernel that early.
constant constexpr bool WAITS_ITSELF = true;
#ifndef KERNELS_OVERLAP
#define wait_for_previous_kernel()
#endif

// Where a lane puts vector k of `vectors`: behind the end it has a place of its own, so that nobody has to
// branch, and one read need not wait for another.
static uint place(uint k, uint vectors, uint lane)
{
    return k < vectors ? k : vectors + lane;
}

static void copy(device const float4 *from, threadgroup float4 *to, uint vectors, uint lane, uint lanes)
{
    for (uint first = lane; first < vectors; first += AHEAD * lanes)
        for (uint i = 0; i < AHEAD; i++) {
            uint k = first + i * lanes;
            to[place(k, vectors, lane)] = from[min(k, vectors - 1)];
        }
}

// To mean 0 and standard deviation 1, as layernorm.metal does it. A lane reads only what it wrote itself.
static void normalise(device const float4 *x, threadgroup float4 *out, uint vectors, float epsilon, uint lane,
                      uint lanes)
{
    float sum = 0.0f, differences = 0.0f, squares = 0.0f, count = float(4 * vectors);
    copy(x, out, vectors, lane, lanes);
    for (uint k = lane; k < vectors; k += lanes) sum += dot(out[k], float4(1.0f));
    float mean = simd_sum(sum) / count;
    for (uint k = lane; k < vectors; k += lanes) {
        float4 difference = out[k] - mean;
        differences += dot(difference, float4(1.0f));
        squares += dot(difference, difference);
    }
    float scale = 1.0f / sqrt(simd_sum(squares) / count + epsilon);
    mean += simd_sum(differences) / count;
    for (uint k = lane; k < vectors; k += lanes) out[k] = (out[k] - mean) * scale;
}

static float gelu_of(float x)
{
    float inner = 0.7978845608f * (x + 0.044715f * x * x * x);
    return 0.5f * x * (1.0f + precise::tanh(inner));
}

// ROWS weight rows from `first` on; behind the last row the last one again, which is not stored.
template <typename Vector> struct Rows {
    device const Vector *weight;
    device const float *bias;
    uint first, N, vectors, lane, lanes;
};

template <typename Vector>
static void read_ahead(Rows<Vector> rows, uint first_row, uint first, thread Vector (&ahead)[ROWS][AHEAD])
{
    for (uint r = 0; r < ROWS; r++)
        for (uint i = 0; i < AHEAD; i++) {
            ulong row = min(first_row + r, rows.N - 1);
            uint k = first + i * rows.lanes;
            Vector value = rows.weight[row * rows.vectors + min(k, rows.vectors - 1)];
            ahead[r][i] = k < rows.vectors ? value : Vector(0.0f);
        }
}

// COUNT tokens against weight rows, ROWS at a time, in turns that are `step` rows apart; COUNT and ROWS are known
// to the compiler, so that the sums stay in registers. `normal` has the normalised tokens and behind them
// layernorm's weight and bias; `ahead` the beginning of the first rows. While one part of a row is multiplied,
// the next is on its way.
template <uint COUNT, typename Vector>
static void multiply(Rows<Vector> rows, uint step, threadgroup const float4 *normal,
                     thread Vector (&ahead)[ROWS][AHEAD], device float *out, bool gelu)
{
    uint stride = rows.vectors + SIMD_WIDTH, part = AHEAD * rows.lanes;
    for (uint n = rows.first; n < rows.N; n += step) {
        float sum[ROWS][COUNT];
        for (uint r = 0; r < ROWS; r++)
            for (uint t = 0; t < COUNT; t++) sum[r][t] = 0.0f;
        for (uint begin = 0; begin < rows.vectors; begin += part) {
            Vector next[ROWS][AHEAD];
            bool is_last = begin + part >= rows.vectors;
            read_ahead(rows, is_last ? n + step : n, is_last ? rows.lane : begin + part + rows.lane, next);
            for (uint i = 0; i < AHEAD; i++) {
                uint k = min(begin + rows.lane + i * rows.lanes, rows.vectors - 1);
                float4 scale = normal[COUNT * stride + k], shift = normal[(COUNT + 1) * stride + k];
                for (uint t = 0; t < COUNT; t++) {
                    float4 value = normal[t * stride + k] * scale + shift;
                    for (uint r = 0; r < ROWS; r++) sum[r][t] += dot(value, float4(ahead[r][i]));
                }
            }
            for (uint r = 0; r < ROWS; r++)
                for (uint i = 0; i < AHEAD; i++) ahead[r][i] = next[r][i];
        }
        for (uint r = 0; r < ROWS; r++)
            for (uint t = 0; t < COUNT; t++) {
                float y = simd_sum(sum[r][t]) + rows.bias[min(n + r, rows.N - 1)];
                if (rows.lane == 0 && n + r < rows.N) out[ulong(t) * rows.N + n + r] = gelu ? gelu_of(y) : y;
            }
    }
}

kernel void norm_linear_f32(
    device const float4 *x [[buffer(0)]],           // [T,K/4]
    device const float4 *norm_weight [[buffer(1)]], // [K/4]
    device const float4 *norm_bias [[buffer(2)]],   // [K/4]
    device const float4 *weight [[buffer(3)]],      // [N,K/4]
    device const float *bias [[buffer(4)]],         // [N]
    device float *out [[buffer(5)]],                // [T,N]
    constant uint &T [[buffer(6)]],
    constant uint &K [[buffer(7)]],
    constant uint &N [[buffer(8)]],
    constant uint &gelu [[buffer(9)]], // 1: f = gelu
    constant float &epsilon [[buffer(10)]],
    uint group [[threadgroup_position_in_grid]],
    uint groups [[threadgroups_per_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    threadgroup float4 normal[MAX_VECTORS];
    uint vectors = K / 4, lanes = min(simd_width, threads - simdgroup * simd_width); // the last may be partial
    uint stride = vectors + SIMD_WIDTH, first = (group * simdgroups + simdgroup) * ROWS;
    Rows<float4> rows = {weight, bias, first, N, vectors, lane, lanes};
    for (uint begin = 0, count; begin < T; begin += count) {
        for (count = 4; count > 1 && (begin + count > T || (count + 2) * stride > MAX_VECTORS);) count /= 2;
        float4 ahead[ROWS][AHEAD];
        read_ahead(rows, first, lane, ahead);
        for (uint job = simdgroup; job < 2; job += simdgroups)
            copy(job ? norm_bias : norm_weight, normal + (count + job) * stride, vectors, lane, lanes);
        wait_for_previous_kernel();
        for (uint job = (simdgroup + 2) % simdgroups; job < count; job += simdgroups)
            normalise(x + ulong(begin + job) * vectors, normal + job * stride, vectors, epsilon, lane, lanes);
        threadgroup_barrier(mem_flags::mem_threadgroup); // normal: the writes above → the reads below
        device float *to = out + ulong(begin) * N;
        uint step = groups * simdgroups * ROWS;
        if (count == 4) multiply<4>(rows, step, normal, ahead, to, gelu);
        if (count == 2) multiply<2>(rows, step, normal, ahead, to, gelu);
        if (count == 1) multiply<1>(rows, step, normal, ahead, to, gelu);
        threadgroup_barrier(mem_flags::mem_threadgroup); // normal: the reads above ↔ the next writes
    }
}

kernel void norm_linear_f16(
    device const float4 *x [[buffer(0)]],           // [T,K/4]
    device const float4 *norm_weight [[buffer(1)]], // [K/4]
    device const float4 *norm_bias [[buffer(2)]],   // [K/4]
    device const half4 *weight [[buffer(3)]],       // [N,K/4]
    device const float *bias [[buffer(4)]],         // [N]
    device float *out [[buffer(5)]],                // [T,N]
    constant uint &T [[buffer(6)]],
    constant uint &K [[buffer(7)]],
    constant uint &N [[buffer(8)]],
    constant uint &gelu [[buffer(9)]], // 1: f = gelu
    constant float &epsilon [[buffer(10)]],
    uint group [[threadgroup_position_in_grid]],
    uint groups [[threadgroups_per_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    threadgroup float4 normal[MAX_VECTORS];
    uint vectors = K / 4, lanes = min(simd_width, threads - simdgroup * simd_width); // the last may be partial
    uint stride = vectors + SIMD_WIDTH, first = (group * simdgroups + simdgroup) * ROWS;
    Rows<half4> rows = {weight, bias, first, N, vectors, lane, lanes};
    for (uint begin = 0, count; begin < T; begin += count) {
        for (count = 4; count > 1 && (begin + count > T || (count + 2) * stride > MAX_VECTORS);) count /= 2;
        half4 ahead[ROWS][AHEAD];
        read_ahead(rows, first, lane, ahead);
        for (uint job = simdgroup; job < 2; job += simdgroups)
            copy(job ? norm_bias : norm_weight, normal + (count + job) * stride, vectors, lane, lanes);
        wait_for_previous_kernel();
        for (uint job = (simdgroup + 2) % simdgroups; job < count; job += simdgroups)
            normalise(x + ulong(begin + job) * vectors, normal + job * stride, vectors, epsilon, lane, lanes);
        threadgroup_barrier(mem_flags::mem_threadgroup); // normal: the writes above → the reads below
        device float *to = out + ulong(begin) * N;
        uint step = groups * simdgroups * ROWS;
        if (count == 4) multiply<4>(rows, step, normal, ahead, to, gelu);
        if (count == 2) multiply<2>(rows, step, normal, ahead, to, gelu);
        if (count == 1) multiply<1>(rows, step, normal, ahead, to, gelu);
        threadgroup_barrier(mem_flags::mem_threadgroup); // normal: the reads above ↔ the next writes
    }
}
