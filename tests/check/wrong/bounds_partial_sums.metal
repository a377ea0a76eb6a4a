// Four slots for eight simdgroups.
// run: --kernel total --grid 256 --threads 256 --simd-width 32 --buffer 0=random:f32:256 --buffer 1=empty:f32:1
#include <metal_stdlib>
using namespace metal;

kernel void total(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint t [[thread_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                  uint simdgroup [[simdgroup_index_in_threadgroup]],
                  uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float partial[4];
    float sum = simd_sum(x[t]);
    if (lane == 0) partial[simdgroup] = sum; // expect: out-of-bounds
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (t != 0) return;
    sum = 0.0f;
    for (uint i = 0; i < simdgroups; i++) sum += partial[i]; // expect: out-of-bounds
    out[0] = sum;
}
