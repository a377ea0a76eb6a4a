// The second barrier is there, but orders no threadgroup memory.
// run: --kernel swap --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void swap(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                 uint t [[thread_index_in_threadgroup]])
{
    threadgroup float values[64];
    values[t] = x[t];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float other = values[t ^ 32]; // expect: race
    threadgroup_barrier(mem_flags::mem_none);
    values[t] = 2.0f * other; // expect: race
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[t] = values[63 - t];
}
