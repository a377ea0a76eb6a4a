// expect: cannot initialize
#include <metal_stdlib>
using namespace metal;

kernel void copy(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    thread float *value = x + i;
    *value = 0.0f;
}
