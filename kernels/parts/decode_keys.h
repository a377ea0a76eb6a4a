// decode_keys.h — the new query of a head over cached keys and values, and over those that are new
#pragma once
#include "parts/decode_heads.h"
#include "parts/running_softmax.h"

constant constexpr uint SHARE = 8;                                           // lanes of a team
constant constexpr uint TEAMS = SIMD_WIDTH < SHARE ? 1 : SIMD_WIDTH / SHARE; // in a simdgroup

static float team_sum(float value)
{
    for (uint distance = 1; distance < SHARE; distance *= 2) value += simd_shuffle_xor(value, ushort(distance));
    return value;
}

// The cached keys begin … end − 1, and the new one if it `is_mine`, by the teams of a whole simdgroup; this lane's part of
// what its team has seen. What needs no waiting for is read first.
template <uint VECTORS, typename New, typename KV4>
static Running<VECTORS / SHARE> run_through(Heads<New, KV4> heads, uint begin, uint end, bool is_mine, uint team, uint lane)
{
    constexpr uint PARTS = VECTORS / SHARE, KEYS = 8 / PARTS; // that a team reads at once
    float4 query[PARTS];
    float new_score = 0.0f;
    Running<PARTS> running, fresh; // of the cached keys, of the new one
    running.m = -FLT_MAX, running.l = 0.0f, fresh.l = 1.0f;
    for (uint i = 0; i < PARTS; i++) {
        float4 new_key = kept(heads.keys, heads.key[lane + i * SHARE]);
        fresh.sum[i] = kept(heads.values, heads.value[lane + i * SHARE]);
        query[i] = heads.query[lane + i * SHARE] * heads.scale;
        running.sum[i] = float4(0.0f);
        new_score += dot(query[i], new_key);
    }
    for (uint from = begin; from < end; from += LOOKED_UP) {
        uint last = min(from + LOOKED_UP, end) - 1, first_page = from / PAGE;
        uint page = heads.pages[min(first_page + team * SHARE + lane, last / PAGE)]; // one for each lane
        for (uint first = from; first <= last; first += KEYS * TEAMS) { // as often for every team: they shuffle
            Running<PARTS> one[KEYS]; // each key alone
            for (uint j = 0; j < KEYS; j++) {
                uint s = min(first + j * TEAMS + team, last);
                ulong start = simd_shuffle(page, ushort(s / PAGE - first_page)) * heads.stride + s % PAGE * VECTORS + lane;
                float score = 0.0f;
                one[j].l = 1.0f;
                for (uint i = 0; i < PARTS; i++) {
                    one[j].sum[i] = float4(heads.values[start + i * SHARE]);
                    score += dot(query[i], float4(heads.keys[start + i * SHARE]));
                }
                one[j].m = score;
            }
            for (uint j = 0; j < KEYS; j++) {
                one[j].m = team_sum(one[j].m);
                if (first + j * TEAMS + team <= last) merge(running, one[j]);
            }
        }
    }
    fresh.m = team_sum(new_score);
    if (is_mine && team == 0) merge(running, fresh);
    return running;
}
