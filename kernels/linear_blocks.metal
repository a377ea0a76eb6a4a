// linear_blocks.metal — weights × vector with packed weights: linear.metal for the block formats
//
//   out[t,n] = Σ_k x[t,k] · weight[n,k] + bias[n]
//
// One simdgroup per weight row n; its tokens are taken by 4, by 2 and one by one. A row is made of blocks, a block of
// PARTS, a part of PIECES (formats/blocks.h; each format has a page there). The lanes form teams, and a team takes a
// part at a time: of 32 lanes each owns one piece of it; the only lane of a CPU owns all pieces and keeps a sum for
// each, which the compiler turns into vectors. If a part has fewer pieces than the simdgroup has lanes, several teams
// work side by side. Lanes share nothing but the final simd_sum, so there is no barrier.
#include <metal_stdlib>
using namespace metal;
#include "formats/all.h"

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif

// sum[t] += part number `part` of a row · x[t] for COUNT tokens: the pieces of one member of a team.
template <uint COUNT, uint SUMS, typename Block>
static void add_part(device const Block *row, uint part, device const float *x, uint K, uint member,
                     uint members, thread float (&sum)[COUNT][SUMS])
{
    device const Block *block = row + part / Block::PARTS;
    float scale = scale_of(block);
    x += part * (Block::VALUES / Block::PARTS);
    for (uint i = member; i < Block::PIECES; i += members) {
        auto piece = unpack(block, part % Block::PARTS, i);
        for (uint t = 0; t < COUNT; t++)
            sum[t][i / members % SUMS] += scale * piece_times(piece, x + ulong(t) * K + i, Block::PIECES);
    }
}

// COUNT tokens against one weight row; COUNT is known to the compiler, so the sums stay in registers.
// Parts go into two sets of sums in turn: an addition need not wait for the one before it.
template <uint COUNT, typename Block>
static void row_times_tokens(device const Block *row, device const float *x, float bias, device float *out, uint K,
                             uint stride, uint lane, uint lanes)
{
    constexpr bool IN_TEAMS = Block::PIECES < SIMD_WIDTH;
    constexpr uint SUMS = (Block::PIECES + SIMD_WIDTH - 1) / SIMD_WIDTH; // per lane and token
    float even[COUNT][SUMS] = {}, odd[COUNT][SUMS] = {};
    uint members = IN_TEAMS ? min(lanes, Block::PIECES) : lanes, teams = IN_TEAMS ? lanes / members : 1;
    uint parts = K / Block::VALUES * Block::PARTS, team = IN_TEAMS ? lane / members : 0;
    uint member = IN_TEAMS ? lane % members : lane;
    uint begin = team < teams ? team : parts; // the lanes left over, too few for a team, have nothing to do
    for (uint part = begin; part < parts; part += 2 * teams) {
        add_part(row, part, x, K, member, members, even);
        if (part + teams >= parts) break;
        add_part(row, part + teams, x, K, member, members, odd);
    }
    for (uint t = 0; t < COUNT; t++) {
        float total = 0.0f;
        for (uint i = 0; i < SUMS; i++) total += even[t][i] + odd[t][i];
        total = simd_sum(total);
        if (lane == 0) out[ulong(t) * stride] = total + bias;
    }
}

template <typename Block>
kernel void linear_blocks(
    device const float *x [[buffer(0)]],      // [T,K]
    device const Block *weight [[buffer(1)]], // [N,K/VALUES]
    device const float *bias [[buffer(2)]],   // [N]
    device float *out [[buffer(3)]],          // [T,stride]: N columns of it
    constant uint &T [[buffer(4)]],
    constant uint &K [[buffer(5)]], // a multiple of VALUES
    constant uint &N [[buffer(6)]],
    constant uint &stride [[buffer(7)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint n = group * simdgroups + simdgroup, t = 0;
    if (n >= N) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    device const Block *row = weight + ulong(n) * (K / Block::VALUES);
    for (; t + 4 <= T; t += 4)
        row_times_tokens<4>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);
    for (; t + 2 <= T; t += 2)
        row_times_tokens<2>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);
    for (; t < T; t++)
        row_times_tokens<1>(row, x + ulong(t) * K, bias[n], out + n + ulong(t) * stride, K, stride, lane, lanes);
}

template [[host_name("linear_iq4_nl")]] kernel decltype(linear_blocks<block_iq4_nl>) linear_blocks<block_iq4_nl>;
template [[host_name("linear_q2_K")]] kernel decltype(linear_blocks<block_q2_K>) linear_blocks<block_q2_K>;
template [[host_name("linear_q3_K")]] kernel decltype(linear_blocks<block_q3_K>) linear_blocks<block_q3_K>;
template [[host_name("linear_q4_0")]] kernel decltype(linear_blocks<block_q4_0>) linear_blocks<block_q4_0>;
template [[host_name("linear_q4_1")]] kernel decltype(linear_blocks<block_q4_1>) linear_blocks<block_q4_1>;
template [[host_name("linear_q4_K")]] kernel decltype(linear_blocks<block_q4_K>) linear_blocks<block_q4_K>;
template [[host_name("linear_q5_0")]] kernel decltype(linear_blocks<block_q5_0>) linear_blocks<block_q5_0>;
template [[host_name("linear_q5_1")]] kernel decltype(linear_blocks<block_q5_1>) linear_blocks<block_q5_1>;
template [[host_name("linear_q5_K")]] kernel decltype(linear_blocks<block_q5_K>) linear_blocks<block_q5_K>;
template [[host_name("linear_q6_K")]] kernel decltype(linear_blocks<block_q6_K>) linear_blocks<block_q6_K>;
template [[host_name("linear_q8_0")]] kernel decltype(linear_blocks<block_q8_0>) linear_blocks<block_q8_0>;
