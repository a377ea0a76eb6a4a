// expect: simdgroup_store
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device float *x [[buffer(0)]], device const half *y [[buffer(1)]])
{
    float own[64];
    simdgroup_float8x8 m(1.0f);
    simdgroup_store(m, own);
    x[0] = own[0];
}
