// expect: ambiguous
#include <metal_stdlib>
using namespace metal;

kernel void scale(device long *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = simd_shuffle(x[i], 0);
}
