// expect: vector element
#include <metal_stdlib>
using namespace metal;

static void increment(thread float &value)
{
    value += 1.0f;
}

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float4 value = float4(x[i]);
    increment(value.y);
    x[i] = value.y;
}
