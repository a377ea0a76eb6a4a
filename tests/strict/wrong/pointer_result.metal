// expect: row: a pointer or reference needs an address space
#include <metal_stdlib>
using namespace metal;

static float *row(device float *x, uint i)
{
    return x + i;
}

kernel void clear(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    *row(x, i) = 0.0f;
}
