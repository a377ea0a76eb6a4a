// expect: cannot initialize
#include <metal_stdlib>
using namespace metal;

kernel void keep(device float *x [[buffer(0)]], threadgroup float *scratch [[threadgroup(0)]],
                 uint i [[thread_position_in_grid]])
{
    device float *target = scratch;
    target[0] = x[i];
}
