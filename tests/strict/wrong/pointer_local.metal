// expect: p: a pointer or reference needs an address space
#include <metal_stdlib>
using namespace metal;

kernel void clear(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float *p = x + i;
    *p = 0.0f;
}
