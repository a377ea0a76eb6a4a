// expect: exceeds
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float2 value = float2(x[i]);
    x[i] = value.z;
}
