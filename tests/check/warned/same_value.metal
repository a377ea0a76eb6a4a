// All lanes of a simdgroup write its sum, the same value, to one place.
// run: --kernel sums --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void sums(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                 uint i [[thread_position_in_grid]], uint s [[simdgroup_index_in_threadgroup]])
{
    threadgroup float partial[2];
    partial[s] = simd_sum(x[i]); // expect: race
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[i] = partial[0] + partial[1];
}
