// expect: must be a device or constant pointer
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], constant uint count [[buffer(1)]])
{
    x[0] = 0.0f;
}
