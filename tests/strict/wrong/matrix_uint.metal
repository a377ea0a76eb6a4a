// expect: unknown type name .simdgroup_uint8x8.
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device float *x [[buffer(0)]], device const half *y [[buffer(1)]])
{
    simdgroup_uint8x8 m;
    (void)m;
}
