// expect: 'i' and 'group' must have as many components as each other
#include <metal_stdlib>
using namespace metal;

kernel void clear(device float *x [[buffer(0)]], uint2 i [[thread_position_in_grid]],
                  uint3 group [[threadgroup_position_in_grid]])
{
    x[i.x] = float(group.x);
}
