// expect: implicit conversions
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    half4 left = half4(1.0h);
    float4 right = float4(x[i]);
    x[i] = (left * right).x;
}
