// expect: implicit conversions
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float4 left = float4(x[i]);
    float3 right = float3(1.0f);
    x[i] = (left + right).x;
}
