// decode_keys.h — the new queries of a row's heads over cached keys and values, and over those that are new
#pragma once
#include "parts/kept.h"
#include "parts/pages.h"
#include "parts/running_softmax.h"
#include "parts/simd_width.h"

constant constexpr uint SHARE = 8;                                           // lanes of a team
constant constexpr uint TEAMS = SIMD_WIDTH < SHARE ? 1 : SIMD_WIDTH / SHARE; // in a simdgroup
constant constexpr float LOG2_E = 1.44269504f;

// Heads that share keys and values: where their queries are, the new key and value, and the cached ones.
template <typename KV4> struct Heads {
    device const float4 *query, *key, *value; // [heads,VECTORS], [VECTORS]
    uint last;                                // of the heads; those behind it are the last one again
    device const KV4 *keys, *values;          // their own of page 0
    device const uint *pages;                 // `stride` vectors apart
    ulong stride;
    float scale; // of scores to the base 2
};

static float team_sum(float value)
{
    for (uint distance = 1; distance < SHARE; distance *= 2) value += simd_shuffle_xor(value, ushort(distance));
    return value;
}

// The cached keys begin … end − 1, and the new one if it `is_mine`, by the teams of a whole simdgroup; of each head this
// lane's part of what its team has seen. What needs no waiting for is read first.
template <uint VECTORS, uint COUNT, typename KV4>
static void run_through(Heads<KV4> heads, uint begin, uint end, bool is_mine, uint team, uint lane,
                        thread Running<VECTORS / SHARE> (&running)[COUNT])
{
    constexpr uint PARTS = VECTORS / SHARE, KEYS = 8 / PARTS; // that a team reads at once
    constexpr uint LOOKED_UP = (SIMD_WIDTH > 1 ? SIMD_WIDTH - 1 : 1) * PAGE; // tokens whose pages the lanes look up
    float4 query[COUNT][PARTS];
    float new_score[COUNT];
    Running<PARTS> fresh; // of the new key; its score is another for each head
    fresh.l = 1.0f;
    for (uint h = 0; h < COUNT; h++) running[h].m = -FLT_MAX, running[h].l = new_score[h] = 0.0f;
    for (uint i = 0; i < PARTS; i++) {
        float4 new_key = kept(heads.keys, heads.key[lane + i * SHARE]);
        fresh.sum[i] = kept(heads.values, heads.value[lane + i * SHARE]);
        for (uint h = 0; h < COUNT; h++) {
            query[h][i] = heads.query[min(h, heads.last) * VECTORS + lane + i * SHARE] * heads.scale;
            running[h].sum[i] = float4(0.0f);
            new_score[h] += dot(query[h][i], new_key);
        }
    }
    for (uint from = begin; from < end; from += LOOKED_UP) {
        uint last = min(from + LOOKED_UP, end) - 1, first_page = from / PAGE;
        uint page = heads.pages[min(first_page + team * SHARE + lane, last / PAGE)]; // one for each lane
        for (uint first = from; first <= last; first += KEYS * TEAMS) { // as often for every team: they shuffle
            Running<PARTS> one[KEYS]; // each key alone
            float score[KEYS][COUNT] = {};
            for (uint j = 0; j < KEYS; j++) {
                uint s = min(first + j * TEAMS + team, last);
                ulong start = simd_shuffle(page, ushort(s / PAGE - first_page)) * heads.stride + s % PAGE * VECTORS + lane;
                one[j].l = 1.0f;
                for (uint i = 0; i < PARTS; i++) {
                    one[j].sum[i] = float4(heads.values[start + i * SHARE]);
                    float4 key = float4(heads.keys[start + i * SHARE]);
                    for (uint h = 0; h < COUNT; h++) score[j][h] += dot(query[h][i], key);
                }
            }
            for (uint j = 0; j < KEYS; j++)
                for (uint h = 0; h < COUNT; h++) {
                    one[j].m = team_sum(score[j][h]);
                    if (first + j * TEAMS + team <= last) merge(running[h], one[j]);
                }
        }
    }
    for (uint h = 0; h < COUNT; h++) {
        fresh.m = team_sum(new_score[h]);
        if (is_mine && team == 0) merge(running[h], fresh);
    }
}

// All of it for head h by one lane, where a simdgroup is not whole or has but one. Returns m and l.
template <uint VECTORS, typename KV4>
static float2 run_alone(Heads<KV4> heads, uint h, uint begin, uint end, bool is_mine, threadgroup float4 *sums)
{
    device const float4 *query = heads.query + min(h, heads.last) * VECTORS;
    float m = -FLT_MAX, l = 0.0f;
    for (uint c = 0; c < VECTORS; c++) sums[c] = float4(0.0f);
    for (uint s = begin; s < end + is_mine; s++) {
        bool is_new = s == end;
        ulong start = is_new ? 0 : token_start<VECTORS>(heads.pages, heads.stride, s);
        device const KV4 *key = heads.keys + start, *value = heads.values + start;
        float score = 0.0f;
        for (uint c = 0; c < VECTORS; c++)
            score += dot(query[c], is_new ? kept(key, heads.key[c]) : float4(key[c])) * heads.scale;
        float largest = max(m, score), weight = fast::exp2(score - largest), shrink = fast::exp2(m - largest);
        for (uint c = 0; c < VECTORS; c++)
            sums[c] = sums[c] * shrink + (is_new ? kept(value, heads.value[c]) : float4(value[c])) * weight;
        l = l * shrink + weight;
        m = largest;
    }
    return float2(m, l);
}
