// expect: not supported
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[vertex_id]])
{
    x[0] = 0.0f;
}
