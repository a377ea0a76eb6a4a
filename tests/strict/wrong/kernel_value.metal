// expect: must be a device or constant pointer|no \[\[attribute
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], float factor [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    x[i] *= factor;
}
