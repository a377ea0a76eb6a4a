// A barrier for threadgroup memory does not order device memory.
// run: --kernel smooth --grid 64 --threads 64 --buffer 0=random:f32:65
#include <metal_stdlib>
using namespace metal;

kernel void smooth(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float next = x[i + 1]; // expect: race
    threadgroup_barrier(mem_flags::mem_threadgroup);
    x[i] = 0.5f * (x[i] + next); // expect: race
}
