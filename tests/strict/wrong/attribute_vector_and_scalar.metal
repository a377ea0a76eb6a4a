// expect: as many components
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint2 i [[thread_position_in_grid]],
                  uint threads [[threads_per_threadgroup]])
{
    x[0] = 0.0f;
}
