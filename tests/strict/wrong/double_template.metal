// expect: double precision constant
#include <metal_stdlib>
using namespace metal;

template <typename T>
static T halved(T value)
{
    return value * 0.5;
}

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = halved(x[i]);
}
