// All 32 slots are read, but only two simdgroups wrote one.
// run: --kernel total --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:1
#include <metal_stdlib>
using namespace metal;

kernel void total(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint t [[thread_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                  uint simdgroup [[simdgroup_index_in_threadgroup]])
{
    threadgroup float partial[32];
    float sum = simd_sum(x[t]);
    if (lane == 0) partial[simdgroup] = sum;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (simdgroup != 0) return;
    sum = simd_sum(partial[lane]); // expect: unwritten
    if (lane == 0) out[0] = sum;
}
