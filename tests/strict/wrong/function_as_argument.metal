// expect: address of function
#include <metal_stdlib>
using namespace metal;

static float twice(float x)
{
    return 2.0f * x;
}

template <typename F>
static float apply(F function, float x)
{
    return function(x);
}

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = apply(twice, x[i]);
}
