// expect: the same index
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], threadgroup float *a [[threadgroup(0)]],
                  threadgroup float *b [[threadgroup(0)]])
{
    x[0] = a[0] + b[0];
}
