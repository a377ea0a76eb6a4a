// expect: a kernel cannot be called
#include <metal_stdlib>
using namespace metal;

kernel void clear(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = 0.0f;
}

static void clear_first(device float *x)
{
    clear(x, 0);
}

kernel void clear_all(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    clear_first(x + i);
}
