// The barrier stands behind the read.
// run: --kernel divide_by_first --grid 64 --threads 64 --buffer 0=random:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void divide_by_first(device float *x [[buffer(0)]], uint t [[thread_index_in_threadgroup]])
{
    threadgroup float first;
    if (t == 0) first = x[0]; // expect: race
    float divisor = first; // expect: race, unwritten
    threadgroup_barrier(mem_flags::mem_threadgroup);
    x[t] /= divisor;
}
