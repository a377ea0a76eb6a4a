// A sum that starts from nothing.
// run: --kernel layernorm --grid 256 --threads 128 --buffer 0=random:f32:2x300 --buffer 1=empty:f32:600 --bytes 2=u32:300
#include <metal_stdlib>
using namespace metal;

static float threadgroup_sum(float value, threadgroup float *partial, uint lane, uint simdgroup, uint simdgroups)
{
    value = simd_sum(value);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (lane == 0) partial[simdgroup] = value;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float sum = 0.0f;
    for (uint i = 0; i < simdgroups; i++) sum += partial[i];
    return sum;
}

kernel void layernorm(
    device const float *x [[buffer(0)]],
    device float *out [[buffer(1)]],
    constant uint &C [[buffer(2)]],
    uint n [[threadgroup_position_in_grid]],
    uint t [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float partial[32];
    device const float *row = x + ulong(n) * C;
    float sum;
    for (uint c = t; c < C; c += threads) sum += row[c]; // expect: unwritten
    float mean = threadgroup_sum(sum, partial, lane, simdgroup, simdgroups) / float(C);
    float squares = 0.0f;
    for (uint c = t; c < C; c += threads) squares += (row[c] - mean) * (row[c] - mean);
    float variance = threadgroup_sum(squares, partial, lane, simdgroup, simdgroups) / float(C);
    for (uint c = t; c < C; c += threads) out[ulong(n) * C + c] = (row[c] - mean) * rsqrt(variance + 1e-5f);
}
