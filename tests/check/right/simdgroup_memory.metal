// Memory of one simdgroup needs barriers of the simdgroup only.
// run: --kernel turn --grid 64 --threads 64 --buffer 0=random:f32:64
#include <metal_stdlib>
using namespace metal;

kernel void turn(device float *x [[buffer(0)]], uint t [[thread_index_in_threadgroup]],
                 uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]])
{
    threadgroup float values[2][32];
    for (uint round = 0; round < 3; round++) {
        values[simdgroup][lane] = x[t];
        simdgroup_barrier(mem_flags::mem_threadgroup);
        x[t] = values[simdgroup][31 - lane];
        simdgroup_barrier(mem_flags::mem_threadgroup);
    }
}
