// Lane 19 reads from lane 20, which does not take the branch.
// run: --kernel next --grid 32 --threads 32 --buffer 0=random:f32:32
#include <metal_stdlib>
using namespace metal;

kernel void next(device float *x [[buffer(0)]], uint lane [[thread_index_in_simdgroup]])
{
    float value = x[lane];
    if (lane < 20) value = simd_shuffle(value, ushort(lane + 1)); // expect: inactive-lane
    x[lane] = value;
}
