// turned_heads.h — a threadgroup's heads over the keys that its simdgroups split, and the merge of what these have seen
#pragma once
#include "parts/turned_keys.h"

// By a simdgroup, for COUNT heads: the sums [COUNT,VECTORS], and m and l [COUNT], to its place among the others'.
template <uint VECTORS, uint COUNT, typename KV4>
static void look_through(TurnedHeads<KV4> heads, uint begin, uint end, bool is_mine, uint page, uint lane, uint lanes,
                         threadgroup float4 *sums, threadgroup float2 *softmax)
{
    constexpr uint SHARE = VECTORS / PARTS;
    if (SIMD_WIDTH >= SHARE && lanes == SIMD_WIDTH) {
        Running<PARTS> running[COUNT];
        run_through<VECTORS>(heads, begin, end, is_mine, page, lane, running);
        for (uint h = 0; h < COUNT; h++) {
            if (lane == 0) softmax[h] = float2(running[h].m, running[h].l);
            for (uint i = 0; i < PARTS && lane < SHARE; i++) sums[h * VECTORS + lane + i * SHARE] = running[h].sum[i];
        }
    } else if (lane == 0) {
        for (uint h = 0; h < COUNT; h++)
            softmax[h] = run_alone<VECTORS>(heads, h, begin, end, is_mine, sums + h * VECTORS);
    }
}

// Vector c of head h of what the simdgroups have seen together, and m and l; sums [simdgroups,COUNT,VECTORS].
template <uint COUNT, uint VECTORS>
static float4 merged(threadgroup const float4 *sums, threadgroup const float2 *softmax, uint simdgroups, uint h, uint c,
                     thread float2 &all)
{
    float4 sum = float4(0.0f);
    all = float2(softmax[h][0], 0.0f);
    for (uint j = 1; j < simdgroups; j++) all[0] = max(all[0], softmax[j * COUNT + h][0]);
    for (uint j = 0; j < simdgroups; j++) {
        float shrink = fast::exp2(softmax[j * COUNT + h][0] - all[0]);
        all[1] += softmax[j * COUNT + h][1] * shrink;
        sum += sums[(j * COUNT + h) * VECTORS + c] * shrink;
    }
    return sum;
}
