// turned_keys.h — the new queries of a row's heads, as they have been turned, over cached keys and values and the new ones
#pragma once
#include "parts/decode_heads.h"
#include "parts/running_softmax.h"
#include "parts/turned.h"

constant constexpr uint PARTS = 2; // vectors of a head that a lane has: VECTORS / PARTS lanes are a team, which has a key

// Queries, key and value in threadgroup memory, as turn_head has left them there.
template <typename KV4> using TurnedHeads = Heads<threadgroup const float4 *, KV4>;

template <uint VECTORS> static float team_sum(float value)
{
    for (uint distance = 1; distance < VECTORS / PARTS; distance *= 2) value += simd_shuffle_xor(value, ushort(distance));
    return value;
}

// One of the pages of the tokens from `begin` on, another for each lane.
static uint look_up(device const uint *pages, uint begin, uint end, uint lane)
{
    uint last = max(min(begin + LOOKED_UP, end), 1u) - 1;
    return pages[min(begin / PAGE + lane, last / PAGE)];
}

// The cached keys begin … end − 1, and the new one if it `is_mine`, by the teams of a whole simdgroup; of each head this
// lane's part of what all of them have seen. `page` is what the lane has looked up for the first of them.
template <uint VECTORS, uint COUNT, typename KV4>
static void run_through(TurnedHeads<KV4> heads, uint begin, uint end, bool is_mine, uint page, uint simd_lane,
                        thread Running<PARTS> (&running)[COUNT])
{
    constexpr uint SHARE = VECTORS / PARTS, TEAMS = SIMD_WIDTH < SHARE ? 1 : SIMD_WIDTH / SHARE;
    constexpr uint KEYS = COUNT == 2 ? 4 : 2; // that a team reads at once, as measured
    uint team = simd_lane / SHARE, lane = simd_lane % SHARE;
    float4 query[COUNT][PARTS];
    for (uint h = 0; h < COUNT; h++) {
        running[h].m = -FLT_MAX, running[h].l = 0.0f;
        for (uint i = 0; i < PARTS; i++) {
            query[h][i] = heads.query[h * VECTORS + lane + i * SHARE] * heads.scale;
            running[h].sum[i] = float4(0.0f);
        }
    }
    for (uint from = begin; from < end; from += LOOKED_UP) {
        uint last = min(from + LOOKED_UP, end) - 1, first_page = from / PAGE;
        for (uint first = from; first <= last; first += KEYS * TEAMS) { // as often for every team: they shuffle
            KV4 value[KEYS][PARTS];
            float score[COUNT][KEYS] = {};
            for (uint j = 0; j < KEYS; j++) {
                uint s = min(first + j * TEAMS + team, last);
                ulong start = simd_shuffle(page, ushort(s / PAGE - first_page)) * heads.stride + s % PAGE * VECTORS + lane;
                for (uint i = 0; i < PARTS; i++) {
                    value[j][i] = heads.values[start + i * SHARE];
                    float4 key = float4(heads.keys[start + i * SHARE]);
                    for (uint h = 0; h < COUNT; h++) score[h][j] += dot(query[h][i], key);
                }
            }
            uint left = last + 1 - first, count = left > team ? (left - team + TEAMS - 1) / TEAMS : 0;
            for (uint h = 0; h < COUNT; h++) {
                for (uint j = 0; j < KEYS; j++) score[h][j] = team_sum<VECTORS>(score[h][j]);
                add_keys<KEYS>(running[h], score[h], value, count);
            }
        }
        page = look_up(heads.pages, from + LOOKED_UP, end, simd_lane);
    }
    for (uint h = 0; h < COUNT; h++) {
        float score[1] = {0.0f};
        float4 value[1][PARTS];
        for (uint i = 0; i < PARTS; i++) {
            score[0] += dot(query[h][i], kept(heads.keys, heads.key[lane + i * SHARE]));
            value[0][i] = kept(heads.values, heads.value[lane + i * SHARE]);
        }
        score[0] = team_sum<VECTORS>(score[0]);
        add_keys<1>(running[h], score, value, is_mine && team == 0);
        for (uint distance = SHARE; distance < SIMD_WIDTH; distance *= 2)
            merge(running[h], other(running[h], ushort(distance)));
    }
}
