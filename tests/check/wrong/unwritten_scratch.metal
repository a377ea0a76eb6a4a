// 32 values are compared, 16 are there.
// run: --kernel rank --grid 16 --threads 16 --buffer 0=random:f32:16 --buffer 1=empty:u32:16 --threadgroup-memory 2=128
#include <metal_stdlib>
using namespace metal;

kernel void rank(device const float *x [[buffer(0)]], device uint *out [[buffer(1)]],
                 threadgroup float *values [[threadgroup(2)]], uint t [[thread_index_in_threadgroup]])
{
    values[t] = x[t];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    uint rank = 0;
    for (uint i = 0; i < 32; i++) rank += values[i] < values[t]; // expect: unwritten
    out[t] = rank;
}
