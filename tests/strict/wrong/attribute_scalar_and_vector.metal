// expect: as many components
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]],
                  uint3 group [[threadgroup_position_in_grid]])
{
    x[0] = 0.0f;
}
