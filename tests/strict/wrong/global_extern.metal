// expect: must reside in constant address space
#include <metal_stdlib>
using namespace metal;

extern float factor;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] *= factor;
}
