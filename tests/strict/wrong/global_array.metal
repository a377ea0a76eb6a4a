// expect: must reside in constant address space
#include <metal_stdlib>
using namespace metal;

const float table[2] = {1.0f, 2.0f};

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] *= table[i % 2];
}
