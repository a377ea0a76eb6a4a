// sum.h — the sum of a value over all threads of the threadgroup, returned to each of them
//
// Each simdgroup adds up its own in registers, and by way of `partial`, 32 floats, all learn of all.
#pragma once
static float threadgroup_sum(float value, threadgroup float *partial, uint lane, uint simdgroup, uint simdgroups)
{
    value = simd_sum(value);
    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: reads of the sum before ↔ this write
    if (lane == 0) partial[simdgroup] = value;
    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: this write → the reads below
    float sum = 0.0f;
    for (uint i = 0; i < simdgroups; i++) sum += partial[i];
    return sum;
}
