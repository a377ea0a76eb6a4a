// The maxima are overwritten with sums while others still read them.
// run: --kernel softmax --grid 192 --threads 96 --buffer 0=random:f32:2x100 --bytes 1=u32:100
#include <metal_stdlib>
using namespace metal;

kernel void softmax(
    device float *x [[buffer(0)]],
    constant uint &S [[buffer(1)]],
    uint n [[threadgroup_position_in_grid]],
    uint t [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float shared[32];
    device float *row = x + ulong(n) * S;
    float largest = -INFINITY;
    for (uint s = t; s < S; s += threads) largest = max(largest, row[s]);
    largest = simd_max(largest);
    if (lane == 0) shared[simdgroup] = largest;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint i = 0; i < simdgroups; i++) largest = max(largest, shared[i]); // expect: race
    float sum = 0.0f;
    for (uint s = t; s < S; s += threads) sum += exp(row[s] - largest);
    sum = simd_sum(sum);
    if (lane == 0) shared[simdgroup] = sum; // expect: race
    threadgroup_barrier(mem_flags::mem_threadgroup);
    sum = 0.0f;
    for (uint i = 0; i < simdgroups; i++) sum += shared[i];
    for (uint s = t; s < S; s += threads) row[s] = exp(row[s] - largest) / sum;
}
