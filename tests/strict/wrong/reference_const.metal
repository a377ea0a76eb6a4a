// expect: address space
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    const float &value = x[i];
    x[i] = 2.0f * value;
}
