// expect: simd_reduce_add
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = simd_reduce_add(x[i]);
}
