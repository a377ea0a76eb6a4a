// A barrier orders one threadgroup; the neighbour may belong to the next.
// run: --kernel smooth --grid 64 --threads 32 --buffer 0=random:f32:65
#include <metal_stdlib>
using namespace metal;

kernel void smooth(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float next = x[i + 1]; // expect: race
    threadgroup_barrier(mem_flags::mem_device);
    x[i] = 0.5f * (x[i] + next); // expect: race
}
