// expect: needs an index
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer]])
{
    x[0] = 0.0f;
}
