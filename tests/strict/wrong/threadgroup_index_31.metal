// expect: from 0 to 30
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], threadgroup float *scratch [[threadgroup(31)]])
{
    x[0] = scratch[0];
}
