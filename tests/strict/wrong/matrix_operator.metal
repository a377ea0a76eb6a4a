// expect: binary expression
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device float *x [[buffer(0)]], device const half *y [[buffer(1)]])
{
    simdgroup_float8x8 m(1.0f);
    m = m + m;
    simdgroup_store(m, x);
}
