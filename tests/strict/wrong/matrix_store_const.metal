// expect: simdgroup_store
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device float *x [[buffer(0)]], device const half *y [[buffer(1)]])
{
    simdgroup_half8x8 m(1.0h);
    simdgroup_store(m, y);
    x[0] = 0.0f;
}
