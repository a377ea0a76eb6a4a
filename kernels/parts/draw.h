// draw.h — which of a row's weights a random number falls on: the first whose running sum exceeds u · Σ
//
// Nobody adds up the row from its beginning: threads have sums of neighbours, and what stands in front of each follows
// from a running sum over the threads. In the share of the one that u · Σ falls on they look again the same way.
#pragma once
#include "parts/cut.h"

constant constexpr uint NO_TOKEN = 0xFFFFFFFFu;

// Of a sum for each thread, in their order, the one that the target falls on: whose it is, and how far into it.
struct Hit {
    uint owner; // NO_TOKEN if no sum is above 0
    float rest;
};

static Hit hit(float sum, float target, uint thread_index, Team team)
{
    float before = threadgroup_sum_before(sum, team);
    // Rounding may leave a rest of the target after the last sum: then that one stands.
    bool may_be = sum > 0.0f && before <= target;
    uint last = uint(threadgroup_max(may_be ? float(thread_index + 1) : 0.0f, team));
    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: reads of the maximum ↔ this write
    if (thread_index + 1 == last) team.partial[0] = target - before;
    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the read below
    return {last - 1, team.partial[0]};
}

static float kept(float weight, uint cut) { return as_type<uint>(weight) < cut ? 0.0f : weight; }

// Draws from weight[N], of which thread t has its share of neighbours at t, t + threads …: see share_of. True in the one
// thread that has found which it is; NO_TOKEN if there is none to be drawn, or a NaN.
static bool draw(device const float *weight, uint N, uint cut, float u, uint thread_index, uint threads, Team team,
                 thread uint &drawn)
{
    Range mine = share_of(N, thread_index, threads);
    float sum = 0.0f;
    for (uint i = 0; i < mine.count; i++) sum += kept(weight[i * threads + thread_index], cut);
    float total = threadgroup_sum(sum, team);
    Hit first = hit(sum, u * total, thread_index, team);
    drawn = NO_TOKEN;
    if (isnan(total) || first.owner == NO_TOKEN) return thread_index == 0;

    Range his = share_of(N, first.owner, threads), part = share_of(his.count, thread_index, threads);
    device const float *own = weight + part.begin * threads + first.owner;
    sum = 0.0f;
    for (uint i = 0; i < part.count; i++) sum += kept(own[i * threads], cut);
    Hit second = hit(sum, first.rest, thread_index, team);
    if (second.owner != thread_index) return false;
    float rest = second.rest;
    for (uint i = 0; i < part.count; i++) {
        if (!(kept(own[i * threads], cut) > 0.0f)) continue;
        drawn = his.begin + part.begin + i;
        rest -= own[i * threads];
        if (rest < 0.0f) break;
    }
    return true;
}
