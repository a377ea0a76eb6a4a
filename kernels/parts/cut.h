// cut.h — what a threadgroup keeps of a row of weights: the largest threshold for which enough is kept
//
// No sort: non-negative floats order like the integers of their bits, so the threshold is found bit by bit.
#pragma once
#include "parts/simd_width.h"
#include "parts/team.h"

constant constexpr uint WEIGHTS_AHEAD = SIMD_WIDTH == 1 ? 1 : 8; // that a thread has on their way at once

// A thread's share of a row, weight[i · stride].
struct Share {
    device float *weight;
    uint count, stride;
};

// Neighbours of a row of N that a thread owns: as many as every other, or one more.
struct Range {
    uint begin, count;
};
static Range share_of(uint N, uint thread_index, uint threads)
{
    uint least = N / threads, more = N % threads;
    return {thread_index * least + min(thread_index, more), least + uint(thread_index < more)};
}

// What the threads of the threadgroup keep by a cut, all together: how many weights, or the sum of them.
static float kept_by(Share share, uint cut, bool counts, Team team)
{
    float kept = 0.0f;
    for (uint first = 0; first < share.count; first += WEIGHTS_AHEAD) {
        float weight[WEIGHTS_AHEAD]; // past the end 0, which no cut keeps
        for (uint i = 0; i < WEIGHTS_AHEAD; i++)
            weight[i] = first + i < share.count ? share.weight[(first + i) * share.stride] : 0.0f;
        for (uint i = 0; i < WEIGHTS_AHEAD; i++)
            kept += as_type<uint>(weight[i]) < cut ? 0.0f : (counts ? 1.0f : weight[i]);
    }
    return threadgroup_sum(kept, team);
}

// The largest cut that keeps as much as is wanted. The largest weight is 1: bit pattern 0x3F800000, so 30 bits reach
// every threshold.
static uint find_cut(Share share, float wanted, bool counts, Team team)
{
    uint cut = 0;
    for (uint bit = 1u << 29; bit; bit >>= 1)
        if (kept_by(share, cut | bit, counts, team) >= wanted) cut |= bit;
    return cut;
}

// The same of few weights, which all threads can see: of each of them it is found what it would keep as the cut.
template <typename Weights>
static uint find_cut_of_few(Weights weight, uint N, float wanted, bool counts, uint thread_index, uint threads, Team team)
{
    float cut = 0.0f;
    for (uint i = thread_index; i < N; i += threads) {
        float kept = 0.0f;
        for (uint j = 0; j < N; j++) kept += weight[j] < weight[i] ? 0.0f : (counts ? 1.0f : weight[j]);
        if (kept >= wanted) cut = max(cut, weight[i]);
    }
    return as_type<uint>(threadgroup_max(cut, team));
}
