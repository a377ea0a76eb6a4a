// In place, within one threadgroup, with a barrier for device memory.
// run: --kernel reverse --grid 64 --threads 64 --buffer 0=random:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void reverse(device float *x [[buffer(0)]], uint t [[thread_index_in_threadgroup]],
                    uint threads [[threads_per_threadgroup]])
{
    float other = x[threads - 1 - t];
    threadgroup_barrier(mem_flags::mem_device);
    x[t] = other;
}
