// expect: not supported
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], texture2d<float> image [[texture(0)]])
{
    x[0] = 0.0f;
}
