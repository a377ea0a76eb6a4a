// expect: make_filled_simdgroup_matrix
#include <metal_stdlib>
using namespace metal;

kernel void multiply(device float *x [[buffer(0)]], device const half *y [[buffer(1)]])
{
    simdgroup_float8x8 m = make_filled_simdgroup_matrix(1.0f);
    simdgroup_store(m, x);
}
