// expect: mismatching address spaces
#include <metal_stdlib>
using namespace metal;

constant float table[2] = {1.0f, 2.0f};

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    device float *writable = (device float *)table;
    writable[0] = x[i];
}
