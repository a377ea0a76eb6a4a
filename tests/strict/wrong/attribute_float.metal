// expect: 'i' must be ushort or uint, or a vector of 2 or 3 of them
#include <metal_stdlib>
using namespace metal;

kernel void clear(device float *x [[buffer(0)]], float i [[thread_position_in_grid]])
{
    x[uint(i)] = 0.0f;
}
