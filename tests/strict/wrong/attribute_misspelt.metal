// expect: attribute \[\[bufer\]\] is not supported
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[bufer(0)]])
{
    x[0] = 0.0f;
}
