// expect: new
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    auto values = new float[4];
    x[i] = values[0];
}
