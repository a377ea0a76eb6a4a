// Half of the lanes wait for the other half.
// run: --kernel odd --grid 32 --threads 32 --buffer 0=random:f32:32
#include <metal_stdlib>
using namespace metal;

kernel void odd(device float *x [[buffer(0)]], uint lane [[thread_index_in_simdgroup]])
{
    if (lane % 2) simdgroup_barrier(mem_flags::mem_device); // expect: barrier
    x[lane] += 1.0f;
}
