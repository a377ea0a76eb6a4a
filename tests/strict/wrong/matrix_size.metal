// expect: simdgroup_matrix<float, 4, 4>
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device float *x [[buffer(0)]], device const half *y [[buffer(1)]])
{
    simdgroup_matrix<float, 4, 4> m(0.0f);
    (void)m;
}
