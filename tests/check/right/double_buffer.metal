// Two buffers in turn need one barrier in each step.
// run: --kernel scan --grid 64 --threads 64 --buffer 0=ones:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void scan(device float *x [[buffer(0)]], uint t [[thread_index_in_threadgroup]],
                 uint threads [[threads_per_threadgroup]])
{
    threadgroup float sums[2][64];
    uint current = 0;
    sums[0][t] = x[t];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint step = 1; step < threads; step *= 2) {
        sums[1 - current][t] = sums[current][t] + (t >= step ? sums[current][t - step] : 0.0f);
        current = 1 - current;
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    x[t] = sums[current][t];
}
