// expect: simdgroup_multiply
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device float *x [[buffer(0)]], device const half *y [[buffer(1)]])
{
    const simdgroup_float8x8 one(1.0f);
    simdgroup_float8x8 m(2.0f);
    simdgroup_multiply(m, m, one);
    simdgroup_store(m, x);
}
