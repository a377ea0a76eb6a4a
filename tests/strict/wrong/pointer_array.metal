// expect: address space
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float *rows[2] = {x, x + 1};
    x[i] = *rows[i % 2];
}
