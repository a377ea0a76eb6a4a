// Two barriers are not one.
// run: --kernel both --grid 64 --threads 64 --buffer 0=random:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void both(device float *x [[buffer(0)]], uint t [[thread_index_in_threadgroup]])
{
    if (t < 32) {
        x[t] += 1.0f;
        threadgroup_barrier(mem_flags::mem_device); // expect one: barrier
    } else {
        x[t] -= 1.0f;
        threadgroup_barrier(mem_flags::mem_device); // expect one: barrier
    }
}
