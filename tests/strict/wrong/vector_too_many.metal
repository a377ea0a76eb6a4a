// expect: components
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float3 value = float3(float2(1.0f), float2(2.0f));
    x[i] = value.x;
}
