// expect: C\+\+14
#include <metal_stdlib>
using namespace metal;

template <auto n>
static float times(float x)
{
    return n * x;
}

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = times<2>(x[i]);
}
