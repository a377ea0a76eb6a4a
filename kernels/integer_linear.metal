// integer_linear.metal — block formats × vector in integers, for decoding: 1 to 8 tokens at a time
//
//   x[t,k]   = scale · value + rounding,  value of 16 bits, 32 neighbours of a row share one scale
//   out[t,n] = Σ_blocks scale_x · scale_w · Σ_i value_x[i] · value_w[i] + bias[n]
//
// The same as linear_q8_0.metal and its siblings, but x is rounded first, to 16 bits: sums of products of
// small integers take a CPU half the time of floats. The rounding is 2e-5 of the result, a hundredth of what
// the 8 bits of other programs cost. One simdgroup per weight row n; its lanes share out each block.
#include <metal_stdlib>
using namespace metal;

constant constexpr uint BLOCK = 32; // values of x that share a scale
constant constexpr uint STEP = 8;   // blocks in a row, as many as q6_K has in one

struct block_q8_0 {
    half scale;
    char values[BLOCK];
};

struct block_q4_0 {
    half scale;
    uchar nibbles[BLOCK / 2]; // byte i: values i and i + 16
};

struct block_q6_K { // eight blocks of 32, see linear_q6_K.metal
    uchar low[2][64];
    uchar high[2][32];
    char scale[2][8];
    half d;
};

// What a lane has of a sum, and the products of one block. A target may bring its own: `Parts` and these
// functions of the same names.
#ifndef MSL_OWN_PRODUCTS
typedef float Parts;
static float sum_of(Parts parts) { return parts; }
static Parts scale_before(device const half *weights) { return float(*weights); }

static Parts products_8(device const char *values, device const short *x, uint lane, uint lanes)
{
    int sum = 0;
    for (uint i = lane; i < BLOCK; i += lanes) sum += int(values[i]) * int(x[i]);
    return float(sum);
}

static Parts products_4(device const uchar *nibbles, device const short *x, uint lane, uint lanes)
{
    int sum = 0;
    for (uint i = lane; i < BLOCK; i += lanes) sum += (int(nibbles[i % 16] >> i / 16 * 4 & 15) - 8) * int(x[i]);
    return float(sum);
}

// `quarter` of half a block of 256: four low bits and two high ones, a scale for each 16.
static Parts products_6(device const uchar *low, device const uchar *high, device const char *scale, uint quarter,
                        device const short *x, uint lane, uint lanes)
{
    float sum = 0.0f;
    for (uint i = lane; i < BLOCK; i += lanes) {
        int bits = int(low[i + quarter % 2 * BLOCK] >> quarter / 2 * 4 & 15) | int(high[i] >> quarter * 2 & 3) << 4;
        sum += float(int(scale[i / 16]) * (bits - 32) * int(x[i]));
    }
    return sum;
}
#endif

// A row's 32 weights number `block`, times 32 values of x, and the scale of that.
static Parts products(device const block_q8_0 *row, uint block, device const short *x, uint lane, uint lanes)
{
    return products_8(row[block].values, x, lane, lanes);
}
static Parts products(device const block_q4_0 *row, uint block, device const short *x, uint lane, uint lanes)
{
    return products_4(row[block].nibbles, x, lane, lanes);
}
static Parts products(device const block_q6_K *row, uint block, device const short *x, uint lane, uint lanes)
{
    uint half_index = block / 4 % 2, quarter = block % 4;
    device const block_q6_K *whole = row + block / 8;
    return products_6(whole->low[half_index], whole->high[half_index], whole->scale[half_index] + 2 * quarter,
                      quarter, x, lane, lanes);
}
static Parts scale(device const block_q8_0 *row, uint block) { return scale_before(&row[block].scale); }
static Parts scale(device const block_q4_0 *row, uint block) { return scale_before(&row[block].scale); }
static Parts scale(device const block_q6_K *row, uint block) { return float(row[block / 8].d); }

// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.
// Blocks go into two sets of sums in turn: an addition need not wait for the one before it.
template <uint COUNT, typename Block>
static void row_times_tokens(device const Block *row, device const short *x, device const float *x_scale,
                             float bias, device float *out, uint K, uint N, uint lane, uint lanes)
{
    uint blocks = K / BLOCK;
    Parts sum[2][COUNT];
    for (uint t = 0; t < COUNT; t++) sum[0][t] = sum[1][t] = 0.0f;
    for (uint first = 0; first < blocks; first += STEP)
#pragma unroll
        for (uint i = 0; i < STEP; i++) {
            uint block = first + i;
            if (block >= blocks) break;
            for (uint t = 0; t < COUNT; t++)
                sum[i % 2][t] += scale(row, block) * x_scale[t * blocks + block] *
                                 products(row, block, x + ulong(t) * K + block * BLOCK, lane, lanes);
        }
    for (uint t = 0; t < COUNT; t++) {
        float total = simd_sum(sum_of(sum[0][t] + sum[1][t]));
        if (lane == 0) out[ulong(t) * N] = total + bias;
    }
}

template <typename Block>
static void all_tokens(device const Block *row, device const short *x, device const float *x_scale, float bias,
                       device float *out, uint T, uint K, uint N, uint lane, uint lanes)
{
    uint t = 0, blocks = K / BLOCK;
    for (; t + 4 <= T; t += 4)
        row_times_tokens<4>(row, x + ulong(t) * K, x_scale + t * blocks, bias, out + ulong(t) * N, K, N, lane, lanes);
    for (; t + 2 <= T; t += 2)
        row_times_tokens<2>(row, x + ulong(t) * K, x_scale + t * blocks, bias, out + ulong(t) * N, K, N, lane, lanes);
    for (; t < T; t++)
        row_times_tokens<1>(row, x + ulong(t) * K, x_scale + t * blocks, bias, out + ulong(t) * N, K, N, lane, lanes);
}

kernel void integer_linear_q8_0(
    device const short *x [[buffer(0)]],         // [T,K]
    device const float *x_scale [[buffer(1)]],   // [T,K/32]
    device const block_q8_0 *weight [[buffer(2)]], // [N,K/32]
    device const float *bias [[buffer(3)]],      // [N]
    device float *out [[buffer(4)]],             // [T,N]
    constant uint &T [[buffer(5)]],
    constant uint &K [[buffer(6)]], // a multiple of 32
    constant uint &N [[buffer(7)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint n = group * simdgroups + simdgroup;
    if (n >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    all_tokens(weight + ulong(n) * (K / 32), x, x_scale, bias[n], out + n, T, K, N, lane, lanes);
}

kernel void integer_linear_q4_0(
    device const short *x [[buffer(0)]],         // [T,K]
    device const float *x_scale [[buffer(1)]],   // [T,K/32]
    device const block_q4_0 *weight [[buffer(2)]], // [N,K/32]
    device const float *bias [[buffer(3)]],      // [N]
    device float *out [[buffer(4)]],             // [T,N]
    constant uint &T [[buffer(5)]],
    constant uint &K [[buffer(6)]], // a multiple of 32
    constant uint &N [[buffer(7)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint n = group * simdgroups + simdgroup;
    if (n >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    all_tokens(weight + ulong(n) * (K / 32), x, x_scale, bias[n], out + n, T, K, N, lane, lanes);
}

kernel void integer_linear_q6_K(
    device const short *x [[buffer(0)]],         // [T,K]
    device const float *x_scale [[buffer(1)]],   // [T,K/32]
    device const block_q6_K *weight [[buffer(2)]], // [N,K/256]
    device const float *bias [[buffer(3)]],      // [N]
    device float *out [[buffer(4)]],             // [T,N]
    constant uint &T [[buffer(5)]],
    constant uint &K [[buffer(6)]], // a multiple of 256
    constant uint &N [[buffer(7)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint n = group * simdgroups + simdgroup;
    if (n >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    all_tokens(weight + ulong(n) * (K / 256), x, x_scale, bias[n], out + n, T, K, N, lane, lanes);
}
