// expect: new
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float value;
    new (&value) float(1.0f);
    x[i] = value;
}
