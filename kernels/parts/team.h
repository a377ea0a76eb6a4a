// team.h — what all threads of a threadgroup find out together: a sum, a maximum, the sum of those in front
#pragma once
#include "parts/sum.h"

// A thread among the others: its places, and 32 floats that all of them share.
struct Team {
    threadgroup float *partial;
    uint lane, simdgroup, simdgroups;
};

static float threadgroup_sum(float value, Team team)
{
    return threadgroup_sum(value, team.partial, team.lane, team.simdgroup, team.simdgroups);
}

// The largest value of all threads, returned to each of them. NaN are passed over.
static float threadgroup_max(float value, Team team)
{
    value = simd_max(value);
    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: reads of what was before ↔ this write
    if (team.lane == 0) team.partial[team.simdgroup] = value;
    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the reads below
    for (uint i = 0; i < team.simdgroups; i++) value = max(value, team.partial[i]);
    return value;
}

// The sum of the values of the threads in front of this one.
static float threadgroup_sum_before(float value, Team team)
{
    float before = simd_prefix_exclusive_sum(value), sum = simd_sum(value);
    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: reads of what was before ↔ this write
    if (team.lane == 0) team.partial[team.simdgroup] = sum;
    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the reads below
    for (uint i = 0; i < team.simdgroup; i++) before += team.partial[i];
    return before;
}
