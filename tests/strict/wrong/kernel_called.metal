// expect: a kernel cannot be called
#include <metal_stdlib>
using namespace metal;

kernel void clear(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = 0.0f;
}

kernel void clear_twice(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    clear(x, i);
    clear(x, i);
}
