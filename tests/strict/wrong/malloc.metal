// expect: malloc
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    thread float *values = (thread float *)malloc(16);
    x[i] = values[0];
}
