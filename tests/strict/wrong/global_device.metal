// expect: must reside in constant address space
#include <metal_stdlib>
using namespace metal;

device float total;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = total;
}
