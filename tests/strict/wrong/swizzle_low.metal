// expect: x, y, z, w
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float4 value = float4(x[i]);
    x[i] = value.lo.x;
}
