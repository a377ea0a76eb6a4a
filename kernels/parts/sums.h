// sums.h — COUNT sums over the threadgroup at once, returned to each thread, by way of `partial`, which is used once
#pragma once
template <uint COUNT>
static void threadgroup_sums(thread float (&value)[COUNT], threadgroup float (*partial)[32], uint lane, uint simdgroup,
                             uint simdgroups)
{
    for (uint i = 0; i < COUNT; i++) {
        value[i] = simd_sum(value[i]);
        if (lane == 0) partial[i][simdgroup] = value[i];
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // partial: the writes above → the reads below
    for (uint i = 0; i < COUNT; i++) {
        value[i] = 0.0f;
        for (uint s = 0; s < simdgroups; s++) value[i] += partial[i][s];
    }
}
