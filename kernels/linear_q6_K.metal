// linear_q6_K.metal — weights × vector with 6-bit weights, in GGUF's format q6_K
//
//   weight[n,k] = d · scale · (value − 32),  16 neighbours of a row share a scale, 256 share d
//   out[t,n]    = Σ_k x[t,k] · weight[n,k] + bias[n]
//
// A block is two halves of 128 values. Of these, byte i of `low` holds the low four bits of values i (low
// nibble) and i + 64, byte i + 32 those of values i + 32 and i + 96; byte i of `high` the upper two bits
// of all four, lowest first. One simdgroup per weight row n: lane i works on these four values, the only
// lane of a CPU on all of them, in 32 sums that the compiler turns into vectors.
#include <metal_stdlib>
using namespace metal;

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint BLOCK = 256;               // values that share d
constant constexpr uint QUARTER = 32;              // of half a block
constant constexpr uint SUMS = QUARTER / SIMD_WIDTH; // per lane and token

struct block_q6_K {
    uchar low[2][64];
    uchar high[2][32];
    char scale[2][8];
    half d;
};

// Values i, i + 32, i + 64 and i + 96 of a half.
static float4 quad(device const block_q6_K *block, uint half_index, uint i)
{
    uint first = block->low[half_index][i], second = block->low[half_index][i + QUARTER];
    uint high = block->high[half_index][i];
    device const char *scale = block->scale[half_index] + i / 16;
    float4 value = float4((first & 15) | (high & 3) << 4, (second & 15) | (high >> 2 & 3) << 4,
                          first >> 4 | (high >> 4 & 3) << 4, second >> 4 | high >> 6 << 4);
    return float4(scale[0], scale[2], scale[4], scale[6]) * (value - 32.0f);
}

// Value i of a block.
static float value(device const block_q6_K *block, uint i)
{
    return float(block->d) * quad(block, i / 128, i % QUARTER)[i % 128 / QUARTER];
}

// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.
template <uint COUNT>
static void row_times_tokens(device const block_q6_K *row, device const float *x, float bias,
                             device float *out, uint K, uint N, uint lane, uint lanes)
{
    float sum[COUNT][SUMS];
    for (uint t = 0; t < COUNT; t++)
        for (uint i = 0; i < SUMS; i++) sum[t][i] = 0.0f;
    for (uint k = 0; k < K; k += BLOCK / 2) {
        float d = float(row[k / BLOCK].d);
        for (uint i = lane; i < QUARTER; i += lanes) {
            float4 weight = quad(row + k / BLOCK, k / 128 % 2, i);
            for (uint t = 0; t < COUNT; t++) {
                device const float *values = x + ulong(t) * K + k + i;
                sum[t][i / lanes % SUMS] += d * (weight.x * values[0] + weight.y * values[32] +
                                                 weight.z * values[64] + weight.w * values[96]);
            }
        }
    }
    for (uint t = 0; t < COUNT; t++) {
        float total = 0.0f;
        for (uint i = 0; i < SUMS; i++) total += sum[t][i];
        total = simd_sum(total);
        if (lane == 0) out[ulong(t) * N] = total + bias;
    }
}

kernel void linear_q6_K(
    device const float *x [[buffer(0)]],           // [T,K]
    device const block_q6_K *weight [[buffer(1)]], // [N,K/256]
    device const float *bias [[buffer(2)]],        // [N]
    device float *out [[buffer(3)]],               // [T,N]
    constant uint &T [[buffer(4)]],
    constant uint &K [[buffer(5)]], // a multiple of 256
    constant uint &N [[buffer(6)]],
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
    device const block_q6_K *row = weight + ulong(n) * (K / BLOCK);
    device float *column = out + n;
    uint t = 0;
    for (; t + 4 <= T; t += 4)
        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);
    for (; t + 2 <= T; t += 2)
        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);
    for (; t < T; t++)
        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);
}

// For the matrix library: out[i] = weight i as float, one block per simdgroup. Grid N/256.
kernel void dequantise_q6_K(
    device const block_q6_K *in [[buffer(0)]], // [N/256]
    device float *out [[buffer(1)]],         // [N]
    constant uint &N [[buffer(2)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint block = group * simdgroups + simdgroup;
    if (block >= N / BLOCK) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    device float *values = out + ulong(block) * BLOCK;
    float d = float(in[block].d);
    for (uint half_index = 0; half_index < 2; half_index++, values += BLOCK / 2)
        for (uint i = lane; i < QUARTER; i += lanes) {
            float4 weight = d * quad(in + block, half_index, i);
            values[i] = weight.x;
            values[i + QUARTER] = weight.y;
            values[i + 2 * QUARTER] = weight.z;
            values[i + 3 * QUARTER] = weight.w;
        }
}

// embedding.metal for a token table of this type; the position table stays float. Grid (C, T, B).
kernel void embedding_forward_q6_K(
    device const uint *ids [[buffer(0)]],             // [B,T]
    device const uint *lengths [[buffer(1)]],         // [B]
    device const block_q6_K *token_table [[buffer(2)]], // [V,C/256]
    device const float *position_table [[buffer(3)]], // [context,C]
    device float *out [[buffer(4)]],                  // [B,T,C]
    constant uint &T [[buffer(5)]],
    constant uint &C [[buffer(6)]], // a multiple of 256
    constant uint &V [[buffer(7)]],
    constant uint &context [[buffer(8)]],
    uint3 id [[thread_position_in_grid]])
{
    uint c = id.x, t = id.y, b = id.z;
    if (c >= C || t >= T) return;
    ulong row = ulong(b) * T + t;
    ulong token = min(ids[row], V - 1);
    ulong position = min(lengths[b] + t, context - 1);
    float embedding = value(token_table + (token * C + c) / BLOCK, c % BLOCK);
    out[row * C + c] = embedding + position_table[position * C + c];
}
