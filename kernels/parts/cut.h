// cut.h — what a threadgroup keeps of a row of weights: the largest threshold for which enough is kept
//
// No sort: non-negative floats order like the integers of their bits, so the threshold is found bit by bit.
#pragma once
#include "parts/sum.h"

// A thread's share of a row, weight[i · stride], and what it needs to add up with the others.
struct Share {
    device float *weight;
    uint count, stride;
    threadgroup float *partial;
    uint lane, simdgroup, simdgroups;
};

// The largest value of all threads of the threadgroup, returned to each of them. NaN are passed over.
static float threadgroup_max(float value, threadgroup float *partial, uint lane, uint simdgroup, uint simdgroups)
{
    value = simd_max(value);
    if (lane == 0) partial[simdgroup] = value;
    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the reads below
    for (uint i = 0; i < simdgroups; i++) value = max(value, partial[i]);
    return value;
}

// What the threads of the threadgroup keep by a cut, all together: how many weights, or the sum of them.
static float kept_by(Share share, uint cut, bool counts)
{
    float kept = 0.0f;
    for (uint i = 0; i < share.count; i++) {
        float weight = share.weight[i * share.stride];
        kept += as_type<uint>(weight) < cut ? 0.0f : counts ? 1.0f : weight;
    }
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
