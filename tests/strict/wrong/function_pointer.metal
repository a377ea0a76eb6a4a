// expect: pointers to functions
#include <metal_stdlib>
using namespace metal;

static float apply(float (*function)(float), float x)
{
    return function(x);
}

static float twice(float x)
{
    return 2.0f * x;
}

kernel void double_all(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = apply(twice, x[i]);
}
