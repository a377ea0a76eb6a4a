// expect: must be ushort or uint
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], half width [[threads_per_simdgroup]])
{
    x[0] = 0.0f;
}
