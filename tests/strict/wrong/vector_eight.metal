// expect: float8
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float8 value = float8(x[i]);
    x[i] = value[0];
}
