// expect: 'i' and 'groups' must have the same type
#include <metal_stdlib>
using namespace metal;

kernel void clear(device float *x [[buffer(0)]], uint2 i [[thread_position_in_grid]],
                  uint3 groups [[threads_per_grid]])
{
    x[i.y * groups.x + i.x] = 0.0f;
}
