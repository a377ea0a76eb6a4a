// expect: bfloat4
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    bfloat4 value = x[i];
    x[i] = float(value.x);
}
