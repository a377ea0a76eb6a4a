// expect: file not found
#include <metal_stdlib>
using namespace metal;

#include <vector>

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = 0.0f;
}
