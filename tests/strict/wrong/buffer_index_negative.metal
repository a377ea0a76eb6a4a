// expect: from 0 to 30
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(-1)]])
{
    x[0] = 0.0f;
}
