// expect: the same index
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], device const float *y [[buffer(0)]])
{
    x[0] = y[0];
}
