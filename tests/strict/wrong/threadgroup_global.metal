// expect: must be in a function
#include <metal_stdlib>
using namespace metal;

threadgroup float values[32];

kernel void keep(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    values[0] = x[i];
}
