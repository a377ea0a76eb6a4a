// expect: more than one attribute
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]] [[buffer(1)]])
{
    x[0] = 0.0f;
}
