// Some threads go round once more than others.
// run: --kernel total --grid 64 --threads 64 --buffer 0=random:f32:100
#include <metal_stdlib>
using namespace metal;

kernel void total(device float *x [[buffer(0)]], uint t [[thread_index_in_threadgroup]],
                  uint threads [[threads_per_threadgroup]])
{
    for (uint i = t; i < 100; i += threads) {
        x[i] *= 2.0f;
        threadgroup_barrier(mem_flags::mem_device); // expect: barrier
    }
}
