// Kernels that no GPU can carry out; the runtime must say so.
#include <metal_stdlib>
using namespace metal;

kernel void barrier_in_branch(device float *x [[buffer(0)]], uint i [[thread_index_in_threadgroup]])
{
    if (i < 10) threadgroup_barrier(mem_flags::mem_threadgroup);
    x[i] = 1.0f;
}

kernel void barrier_after_return(device float *x [[buffer(0)]], uint i [[thread_index_in_threadgroup]])
{
    if (i == 3) return;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    x[i] = 1.0f;
}

kernel void two_barriers(device float *x [[buffer(0)]], uint i [[thread_index_in_threadgroup]])
{
    if (i < 10) threadgroup_barrier(mem_flags::mem_threadgroup);
    else threadgroup_barrier(mem_flags::mem_none);
    x[i] = 1.0f;
}

kernel void barrier_in_loop(device float *x [[buffer(0)]], uint i [[thread_index_in_threadgroup]])
{
    for (uint round = 0; round < i; round++) threadgroup_barrier(mem_flags::mem_threadgroup);
    x[i] = 1.0f;
}

kernel void part_of_simdgroup_barrier(device float *x [[buffer(0)]],
                                      uint i [[thread_index_in_threadgroup]])
{
    if (i % 32 < 10) simdgroup_barrier(mem_flags::mem_threadgroup);
    x[i] = 1.0f;
}

kernel void behind_the_end(device float *x [[buffer(0)]], uint i [[thread_index_in_threadgroup]])
{
    threadgroup float before[4];
    threadgroup float values[32];
    before[i % 4] = 0.0f;
    values[i] = x[i];
    x[i] = values[i] + before[0];
}

kernel void before_the_start(device float *x [[buffer(0)]], constant int &offset [[buffer(1)]],
                             uint i [[thread_index_in_threadgroup]])
{
    threadgroup float values[64];
    values[int(i) + offset] = x[i];
}

kernel void too_much_memory(device float *x [[buffer(0)]], uint i [[thread_index_in_threadgroup]])
{
    threadgroup float values[8000];
    threadgroup float more[200];
    values[i] = more[i] = x[i];
}

kernel void no_memory(device float *x [[buffer(0)]], threadgroup float *values [[threadgroup(2)]],
                      uint i [[thread_index_in_threadgroup]])
{
    values[i] = x[i];
}

// 200,000 bytes of stack per thread.
kernel void too_much_stack(device float *x [[buffer(0)]], uint i [[thread_index_in_threadgroup]])
{
    float values[50000];
    for (uint n = 0; n < 50000; n++) values[n] = x[i] + float(n);
    threadgroup_barrier(mem_flags::mem_none);
    for (uint n = 0; n < 50000; n++) x[i] += values[n];
}
