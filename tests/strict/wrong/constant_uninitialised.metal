// expect: must be initialized
#include <metal_stdlib>
using namespace metal;

constant float factor;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] *= factor;
}
