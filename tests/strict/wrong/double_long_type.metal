// expect: long double
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    long double factor = 2.0f;
    x[i] *= factor;
}
