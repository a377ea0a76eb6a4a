// expect: pointers to pointers|address space
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *device *x [[buffer(0)]])
{
    x[0][0] = 0.0f;
}
