// expect: double precision constant
#include <metal_stdlib>
using namespace metal;

kernel void scale(device half *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] *= 0.1;
}
