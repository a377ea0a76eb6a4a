// expect: mismatching address spaces
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    thread float *value = (thread float *)(x + i);
    *value = 0.0f;
}
