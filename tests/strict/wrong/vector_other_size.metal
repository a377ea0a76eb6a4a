// expect: components
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float2 pair = float2(1.0f);
    float4 value = float4(pair);
    x[i] = value.x;
}
