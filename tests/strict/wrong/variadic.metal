// expect: variadic
#include <metal_stdlib>
using namespace metal;

static float first(float x, ...)
{
    return x;
}

kernel void firsts(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = first(x[i], 1);
}
