// expect: pointers to functions
#include <metal_stdlib>
using namespace metal;

static float twice(float x)
{
    return 2.0f * x;
}

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float (*function)(float) = twice;
    x[i] = function(x[i]);
}
