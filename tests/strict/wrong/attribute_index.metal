// expect: has no index
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid(0)]])
{
    x[0] = 0.0f;
}
