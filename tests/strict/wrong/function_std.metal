// expect: std
#include <metal_stdlib>
using namespace metal;

kernel void square_root(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = std::sqrt(x[i]);
}
