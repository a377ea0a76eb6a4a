// Between the reads and the writes of a step a barrier is missing.
// run: --kernel scan --grid 64 --threads 64 --buffer 0=ones:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void scan(device float *x [[buffer(0)]], uint t [[thread_index_in_threadgroup]],
                 uint threads [[threads_per_threadgroup]])
{
    threadgroup float sums[64];
    sums[t] = x[t];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint step = 1; step < threads; step *= 2) {
        float before = t >= step ? sums[t - step] : 0.0f; // expect: race
        sums[t] += before; // expect: race
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    x[t] = sums[t];
}
