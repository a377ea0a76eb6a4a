// expect: register
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    register float value = x[i];
    x[i] = value * 2.0f;
}
