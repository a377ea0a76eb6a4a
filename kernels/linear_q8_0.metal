// linear_q8_0.metal — weights × vector with 8-bit weights, in GGUF's format q8_0
//
//   weight[n,k] = scale · value,  32 neighbours of a row share one scale
//   out[t,n]    = Σ_k x[t,k] · weight[n,k] + bias[n]
//
// One simdgroup per weight row n. In every block lane i owns the values i, i + lanes, …: a lane of 32
// owns one, the only lane of a CPU all 32, in 32 sums that the compiler turns into vectors.
#include <metal_stdlib>
using namespace metal;

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint BLOCK = 32;                // values that share a scale
constant constexpr uint SUMS = BLOCK / SIMD_WIDTH; // per lane and token

struct block_q8_0 {
    half scale;
    char values[BLOCK];
};

// Value i of a block.
static float value(device const block_q8_0 *block, uint i)
{
    return float(block->scale) * float(block->values[i]);
}

// sum[t] += block · x[t] for COUNT tokens, as far as this lane is concerned.
template <uint COUNT>
static void add_block(device const block_q8_0 *block, device const float *x, uint K, uint lane,
                      uint lanes, thread float (*sum)[SUMS])
{
    for (uint i = lane; i < BLOCK; i += lanes) {
        float weight = value(block, i);
        for (uint t = 0; t < COUNT; t++) sum[t][i / lanes % SUMS] += weight * x[ulong(t) * K + i];
    }
}

// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.
// Blocks go into two sets of sums in turn: an addition need not wait for the one before it.
template <uint COUNT>
static void row_times_tokens(device const block_q8_0 *row, device const float *x, float bias,
                             device float *out, uint K, uint N, uint lane, uint lanes)
{
    float even[COUNT][SUMS], odd[COUNT][SUMS];
    for (uint t = 0; t < COUNT; t++)
        for (uint i = 0; i < SUMS; i++) even[t][i] = odd[t][i] = 0.0f;
    for (uint block = 0; block < K / BLOCK; block += 2) {
        add_block<COUNT>(row + block, x + block * BLOCK, K, lane, lanes, even);
        if (block + 1 == K / BLOCK) break;
        add_block<COUNT>(row + block + 1, x + (block + 1) * BLOCK, K, lane, lanes, odd);
    }
    for (uint t = 0; t < COUNT; t++) {
        float total = 0.0f;
        for (uint i = 0; i < SUMS; i++) total += even[t][i] + odd[t][i];
        total = simd_sum(total);
        if (lane == 0) out[ulong(t) * N] = total + bias;
    }
}

kernel void linear_q8_0(
    device const float *x [[buffer(0)]],           // [T,K]
    device const block_q8_0 *weight [[buffer(1)]], // [N,K/32]
    device const float *bias [[buffer(2)]],        // [N]
    device float *out [[buffer(3)]],               // [T,N]
    constant uint &T [[buffer(4)]],
    constant uint &K [[buffer(5)]], // a multiple of 32
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
    device const block_q8_0 *row = weight + ulong(n) * (K / BLOCK);
    device float *column = out + n;
    uint t = 0;
    for (; t + 4 <= T; t += 4)
        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);
    for (; t + 2 <= T; t += 2)
        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);
    for (; t < T; t++)
        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], column + ulong(t) * N, K, N, lane, lanes);
}

// For the matrix library: out[i] = weight i as float, one block per simdgroup. Grid N/32.
kernel void dequantise_q8_0(
    device const block_q8_0 *in [[buffer(0)]], // [N/32]
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
    for (uint i = lane; i < BLOCK; i += lanes) values[i] = value(in + block, i);
}

// embedding.metal for a token table of this type; the position table stays float. Grid (C, T, B).
kernel void embedding_forward_q8_0(
    device const uint *ids [[buffer(0)]],             // [B,T]
    device const uint *lengths [[buffer(1)]],         // [B]
    device const block_q8_0 *token_table [[buffer(2)]], // [V,C/32]
    device const float *position_table [[buffer(3)]], // [context,C]
    device float *out [[buffer(4)]],                  // [B,T,C]
    constant uint &T [[buffer(5)]],
    constant uint &C [[buffer(6)]], // a multiple of 32
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
