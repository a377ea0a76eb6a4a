// linear_q4_1.metal — weights × vector with 4-bit weights, in GGUF's format q4_1
//
//   weight[n,k] = scale · value + least,  32 neighbours of a row share scale and least value
//   out[t,n]    = Σ_k x[t,k] · weight[n,k] + bias[n]
//
// Byte i of a block holds values i (low nibble) and i + 16 (high nibble).
// One simdgroup per weight row n. Up to 16 lanes share a block, so a simdgroup of 32 works on two blocks
// at a time; the only lane of a CPU has 16 sums that the compiler turns into vectors.
#include <metal_stdlib>
using namespace metal;

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint BLOCK = 32; // values that share a scale
constant constexpr uint BYTES = 16; // that they fill
constant constexpr uint SUMS = (BYTES + SIMD_WIDTH - 1) / SIMD_WIDTH; // per lane and token

struct block_q4_1 {
    half scale;
    half least;
    uchar nibbles[BYTES];
};

// Values i and i + 16 of a block.
static float2 pair(device const block_q4_1 *block, uint i)
{
    uint byte = block->nibbles[i];
    return float(block->scale) * float2(byte & 15, byte >> 4) + float(block->least);
}

// Value i of a block.
static float value(device const block_q4_1 *block, uint i)
{
    return pair(block, i % BYTES)[i / BYTES];
}

// sum[t] += block · x[t] for COUNT tokens, as far as this one of the block's `lanes` is concerned.
template <uint COUNT>
static void add_block(device const block_q4_1 *block, device const float *x, uint K, uint lane,
                      uint lanes, thread float (*sum)[SUMS])
{
    for (uint i = lane; i < BYTES; i += lanes) {
        float2 weight = pair(block, i);
        for (uint t = 0; t < COUNT; t++) {
            device const float *values = x + ulong(t) * K + i;
            sum[t][i / lanes % SUMS] += weight.x * values[0] + weight.y * values[BYTES];
        }
    }
}

// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.
// Blocks go into two sets of sums in turn: an addition need not wait for the one before it.
template <uint COUNT>
static void row_times_tokens(device const block_q4_1 *row, device const float *x, float bias,
                             device float *out, uint K, uint N, uint lane, uint lanes)
{
    float even[COUNT][SUMS], odd[COUNT][SUMS];
    for (uint t = 0; t < COUNT; t++)
        for (uint i = 0; i < SUMS; i++) even[t][i] = odd[t][i] = 0.0f;
    uint team = min(lanes, BYTES), teams = lanes / team, blocks = K / BLOCK;
    uint begin = lane < team * teams ? lane / team : blocks; // lanes that make no whole team rest
    for (uint block = begin; block < blocks; block += 2 * teams) {
        add_block<COUNT>(row + block, x + block * BLOCK, K, lane % team, team, even);
        if (block + teams >= blocks) break;
        add_block<COUNT>(row + block + teams, x + (block + teams) * BLOCK, K, lane % team, team, odd);
    }
    for (uint t = 0; t < COUNT; t++) {
        float total = 0.0f;
        for (uint i = 0; i < SUMS; i++) total += even[t][i] + odd[t][i];
        total = simd_sum(total);
        if (lane == 0) out[ulong(t) * N] = total + bias;
    }
}

kernel void linear_q4_1(
    device const float *x [[buffer(0)]],           // [T,K]
    device const block_q4_1 *weight [[buffer(1)]], // [N,K/32]
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
    device const block_q4_1 *row = weight + ulong(n) * (K / BLOCK);
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
kernel void dequantise_q4_1(
    device const block_q4_1 *in [[buffer(0)]], // [N/32]
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
    for (uint i = lane; i < BYTES; i += lanes) {
        float2 weight = pair(in + block, i);
        values[i] = weight.x;
        values[i + BYTES] = weight.y;
    }
}

// embedding.metal for a token table of this type; the position table stays float. Grid (C, T, B).
kernel void embedding_forward_q4_1(
    device const uint *ids [[buffer(0)]],             // [B,T]
    device const uint *lengths [[buffer(1)]],         // [B]
    device const block_q4_1 *token_table [[buffer(2)]], // [V,C/32]
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
