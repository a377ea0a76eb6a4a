// expect: simdgroup_matrix<uint, 8, 8>|simdgroup_matrix<unsigned int, 8, 8>
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device float *x [[buffer(0)]], device const half *y [[buffer(1)]])
{
    simdgroup_matrix<uint, 8, 8> m(0u);
    (void)m;
}
