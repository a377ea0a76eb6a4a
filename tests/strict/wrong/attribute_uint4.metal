// expect: must be ushort or uint
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint4 i [[thread_position_in_grid]])
{
    x[0] = 0.0f;
}
