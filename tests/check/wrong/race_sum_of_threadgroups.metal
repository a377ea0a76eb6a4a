// All threadgroups add to one float.
// run: --kernel total --grid 96 --threads 32 --buffer 0=random:f32:96 --buffer 1=zeros:f32:1
#include <metal_stdlib>
using namespace metal;

kernel void total(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                  uint i [[thread_position_in_grid]], uint lane [[thread_index_in_simdgroup]])
{
    float sum = simd_sum(x[i]);
    if (lane == 0) out[0] += sum; // expect: race
}
