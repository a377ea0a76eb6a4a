// expect: textures and samplers are for metal-check alone
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], texture2d<float> image [[texture(0)]])
{
    x[0] = 0.0f;
}
