// integer_linear.metal — block formats × vector in integers, for decoding: 1 to 8 tokens at a time
//
//   x[t,k]   = scale · value + rounding,  value of 8 bits, 32 neighbours of a row share one scale
//   out[t,n] = Σ_blocks scale_x · scale_w · Σ_i value_x[i] · value_w[i] + bias[n]
//
// The same as linear_q8_0.metal and its siblings, but x is rounded first, to 8 bits: a CPU multiplies four
// times as many small integers at once as floats. Weights stored with an offset stay as they are, since
//   Σ (weight − 8) · x = Σ weight · x + offset,  offset = −8 · Σ x.
// One simdgroup per weight row n; its lanes share out each block.
#include <metal_stdlib>
using namespace metal;

constant constexpr uint BLOCK = 32; // values of x that share a scale
constant constexpr uint FOURS = BLOCK / 4; // offsets of them
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

// What a lane has of a sum, the products of one block, and a wish to have `bytes` of memory that come a little
// later than `row` in the cache. A target may bring its own: `Parts` and these functions of the same names.
#ifndef MSL_OWN_PRODUCTS
typedef float Parts;
static float sum_of(Parts parts) { return parts; }
static Parts scale_before(device const half *weights) { return float(*weights); }
template <typename Block> static void read_ahead(device const Block *, uint) {}

static Parts products_8(device const char *values, device const char *x, uint lane, uint lanes)
{
    int sum = 0;
    for (uint i = lane; i < BLOCK; i += lanes) sum += int(values[i]) * int(x[i]);
    return float(sum);
}

static Parts products_4(device const uchar *nibbles, device const char *x, device const int *offset, uint lane,
                        uint lanes)
{
    int sum = 0;
    for (uint i = lane; i < FOURS; i += lanes) sum += offset[i];
    for (uint i = lane; i < BLOCK; i += lanes) sum += int(nibbles[i % 16] >> i / 16 * 4 & 15) * int(x[i]);
    return float(sum);
}

// `quarter` of half a block of 256: four low bits and two high ones, an offset of 32, a scale for each 16.
static Parts products_6(device const uchar *low, device const uchar *high, device const char *scale, half d,
                        uint quarter, device const char *x, device const int *offset, uint lane, uint lanes)
{
    int sum = 0;
    scale += 2 * quarter;
    for (uint i = lane; i < FOURS; i += lanes) sum += int(scale[i / 4]) * 4 * offset[i];
    for (uint i = lane; i < BLOCK; i += lanes) {
        int bits = int(low[i + quarter % 2 * BLOCK] >> quarter / 2 * 4 & 15) | int(high[i] >> quarter * 2 & 3) << 4;
        sum += int(scale[i / 16]) * bits * int(x[i]);
    }
    return float(d) * float(sum);
}
#endif

// A row's 32 weights number `block`, times 32 values of x.
static Parts products(device const block_q8_0 *row, uint block, device const char *x, device const int *, uint lane,
                      uint lanes)
{
    return scale_before(&row[block].scale) * products_8(row[block].values, x, lane, lanes);
}
static Parts products(device const block_q4_0 *row, uint block, device const char *x, device const int *offset,
                      uint lane, uint lanes)
{
    return scale_before(&row[block].scale) * products_4(row[block].nibbles, x, offset, lane, lanes);
}
static Parts products(device const block_q6_K *row, uint block, device const char *x, device const int *offset,
                      uint lane, uint lanes)
{
    uint half_index = block / 4 % 2;
    device const block_q6_K *whole = row + block / 8;
    return products_6(whole->low[half_index], whole->high[half_index], whole->scale[half_index], whole->d, block % 4, x,
                      offset, lane, lanes);
}

// Blocks of a row's STEP · 32 weights.
static uint stored(device const block_q6_K *) { return STEP / 8; }
template <typename Block> static uint stored(device const Block *) { return STEP; }

// What the kernels know of x.
struct Input {
    device const char *values;  // [T,K]
    device const int *offset;   // [T,K/4]
    device const float *scale;  // [T,K/32]
};

// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.
// Blocks go into two sets of sums in turn: an addition need not wait for the one before it.
template <uint COUNT, typename Block>
static void row_times_tokens(device const Block *row, Input x, uint t0, float bias, device float *out, uint K, uint N,
                             uint lane, uint lanes)
{
    uint blocks = K / BLOCK;
    Parts sum[2][COUNT];
    for (uint t = 0; t < COUNT; t++) sum[0][t] = sum[1][t] = 0.0f;
    for (uint first = 0; first < blocks; first += STEP) {
        read_ahead(row + first / STEP * stored(row), stored(row) * sizeof(Block));
#pragma unroll
        for (uint i = 0; i < STEP; i++) {
            uint block = first + i;
            if (block >= blocks) break;
            for (uint t = 0; t < COUNT; t++) {
                ulong at = ulong(t0 + t) * blocks + block;
                sum[i % 2][t] += x.scale[at] *
                                 products(row, block, x.values + at * BLOCK, x.offset + at * FOURS, lane, lanes);
            }
        }
    }
    for (uint t = 0; t < COUNT; t++) {
        float total = simd_sum(sum_of(sum[0][t] + sum[1][t]));
        if (lane == 0) out[ulong(t0 + t) * N] = total + bias;
    }
}

template <typename Block>
static void all_tokens(device const Block *row, Input x, float bias, device float *out, uint T, uint K, uint N,
                       uint lane, uint lanes)
{
    uint t = 0;
    for (; t + 4 <= T; t += 4) row_times_tokens<4>(row, x, t, bias, out, K, N, lane, lanes);
    for (; t + 2 <= T; t += 2) row_times_tokens<2>(row, x, t, bias, out, K, N, lane, lanes);
    for (; t < T; t++) row_times_tokens<1>(row, x, t, bias, out, K, N, lane, lanes);
}

kernel void integer_linear_q8_0(
    device const char *x [[buffer(0)]],          // [T,K]
    device const int *x_offset [[buffer(1)]],    // [T,K/4]
    device const float *x_scale [[buffer(2)]],   // [T,K/32]
    device const block_q8_0 *weight [[buffer(3)]], // [N,K/32]
    device const float *bias [[buffer(4)]],      // [N]
    device float *out [[buffer(5)]],             // [T,N]
    constant uint &T [[buffer(6)]],
    constant uint &K [[buffer(7)]], // a multiple of 32
    constant uint &N [[buffer(8)]],
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
    all_tokens(weight + ulong(n) * (K / 32), Input{x, x_offset, x_scale}, bias[n], out + n, T, K, N, lane, lanes);
}

kernel void integer_linear_q4_0(
    device const char *x [[buffer(0)]],          // [T,K]
    device const int *x_offset [[buffer(1)]],    // [T,K/4]
    device const float *x_scale [[buffer(2)]],   // [T,K/32]
    device const block_q4_0 *weight [[buffer(3)]], // [N,K/32]
    device const float *bias [[buffer(4)]],      // [N]
    device float *out [[buffer(5)]],             // [T,N]
    constant uint &T [[buffer(6)]],
    constant uint &K [[buffer(7)]], // a multiple of 32
    constant uint &N [[buffer(8)]],
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
    all_tokens(weight + ulong(n) * (K / 32), Input{x, x_offset, x_scale}, bias[n], out + n, T, K, N, lane, lanes);
}

kernel void integer_linear_q6_K(
    device const char *x [[buffer(0)]],          // [T,K]
    device const int *x_offset [[buffer(1)]],    // [T,K/4]
    device const float *x_scale [[buffer(2)]],   // [T,K/32]
    device const block_q6_K *weight [[buffer(3)]], // [N,K/256]
    device const float *bias [[buffer(4)]],      // [N]
    device float *out [[buffer(5)]],             // [T,N]
    constant uint &T [[buffer(6)]],
    constant uint &K [[buffer(7)]], // a multiple of 256
    constant uint &N [[buffer(8)]],
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
    all_tokens(weight + ulong(n) * (K / 256), Input{x, x_offset, x_scale}, bias[n], out + n, T, K, N, lane, lanes);
}
