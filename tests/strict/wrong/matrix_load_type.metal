// expect: simdgroup_load
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device float *x [[buffer(0)]], device const half *y [[buffer(1)]])
{
    simdgroup_float8x8 m;
    simdgroup_load(m, y);
    simdgroup_store(m, x);
}
