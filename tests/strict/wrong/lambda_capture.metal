// expect: lambda
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    auto scaled = [&](float factor) { return factor * x[i]; };
    x[i] = scaled(2.0f);
}
