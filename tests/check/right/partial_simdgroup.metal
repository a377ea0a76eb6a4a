// A last simdgroup that is not full.
// run: --kernel total --grid 48 --threads 48 --buffer 0=random:f32:48 --buffer 1=empty:f32:1
// run: --kernel total --grid 70 --threads 70 --simd-width 16 --buffer 0=random:f32:70 --buffer 1=empty:f32:1
// run: --kernel total --grid 9 --threads 9 --simd-width 1 --buffer 0=random:f32:9 --buffer 1=empty:f32:1
#include <metal_stdlib>
using namespace metal;

kernel void total(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint t [[thread_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                  uint simdgroup [[simdgroup_index_in_threadgroup]],
                  uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float partial[32];
    float sum = simd_sum(x[t]);
    if (lane == 0) partial[simdgroup] = sum;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (simdgroup != 0) return;
    float total = 0.0f;
    for (uint i = lane; i < simdgroups; i += 32) total += partial[i];
    total = simd_sum(lane < simdgroups ? total : 0.0f);
    if (lane == 0) {
        out[0] = total;
    }
}
