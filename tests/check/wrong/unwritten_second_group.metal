// Threadgroup memory is not shared by threadgroups, and does not outlive one.
// run: --kernel running --grid 64 --threads 32 --buffer 0=random:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void running(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]],
                    uint t [[thread_index_in_threadgroup]])
{
    threadgroup float total;
    if (i == 0) total = 10.0f;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    x[i] += total; // expect: unwritten
}
