// cut.h — what a threadgroup keeps of a row of weights: the largest threshold for which enough is kept
//
// No sort: non-negative floats order like the integers of their bits, so the threshold is found bit by bit.
#pragma once
#include "parts/sum.h"

// Where a thread's share of a row is, and what it needs to add up with the others.
struct Share {
    device float *weight;
    uint begin, end;
    threadgroup float *partial;
    uint lane, simdgroup, simdgroups;
};

// What the threads of the threadgroup keep by a cut, all together: how many weights, or the sum of them.
static float kept_by(Share share, uint cut, bool counts)
{
    float kept = 0.0f;
    for (uint v = share.begin; v < share.end; v++)
        kept += as_type<uint>(share.weight[v]) < cut ? 0.0f : counts ? 1.0f : share.weight[v];
    return threadgroup_sum(kept, share.partial, share.lane, share.simdgroup, share.simdgroups);
}

// The largest cut that keeps as much as is wanted. The largest weight is 1: bit pattern 0x3F800000, so 30 bits reach
// every threshold.
static uint find_cut(Share share, float wanted, bool counts)
{
    uint cut = 0;
    for (uint bit = 1u << 29; bit; bit >>= 1)
        if (kept_by(share, cut | bit, counts) >= wanted) cut |= bit;
    return cut;
}
