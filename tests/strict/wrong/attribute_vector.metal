// expect: 'lane' must be ushort or uint
#include <metal_stdlib>
using namespace metal;

kernel void clear(device float *x [[buffer(0)]], uint2 lane [[thread_index_in_simdgroup]])
{
    x[lane.x] = 0.0f;
}
