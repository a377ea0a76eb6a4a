// expect: must be a device or constant pointer
#include <metal_stdlib>
using namespace metal;

kernel void clear(float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = 0.0f;
}
