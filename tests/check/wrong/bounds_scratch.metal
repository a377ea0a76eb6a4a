// The host gave room for 60 floats.
// run: --kernel shift --grid 64 --threads 64 --buffer 0=random:f32:64 --threadgroup-memory 0=240
#include <metal_stdlib>
using namespace metal;

kernel void shift(device float *x [[buffer(0)]], threadgroup float *values [[threadgroup(0)]],
                  uint t [[thread_index_in_threadgroup]])
{
    values[t] = x[t]; // expect: out-of-bounds
    threadgroup_barrier(mem_flags::mem_threadgroup);
    x[t] = values[t ^ 1]; // expect: out-of-bounds
}
