// Written for 64 threads: the second simdgroup has 16.
// run: --kernel total --grid 48 --threads 48 --buffer 0=random:f32:48 --buffer 1=empty:f32:1
#include <metal_stdlib>
using namespace metal;

kernel void total(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint t [[thread_index_in_threadgroup]])
{
    threadgroup float sums[64];
    sums[t] = x[t];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (t < 32) sums[t] += sums[t + 32]; // expect: unwritten
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (t == 0) {
        float sum = 0.0f;
        for (uint i = 0; i < 32; i++) sum += sums[i];
        out[0] = sum;
    }
}
