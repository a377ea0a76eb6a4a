// expect: double
#include <metal_stdlib>
using namespace metal;

typedef double real;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    real factor = 2.0f;
    x[i] *= factor;
}
