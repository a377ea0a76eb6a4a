// expect: must be a threadgroup pointer
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], device float *scratch [[threadgroup(0)]])
{
    x[0] = 0.0f;
}
