// expect: lambda
#include <metal_stdlib>
using namespace metal;

kernel void square(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    auto squared = [](float value) { return value * value; };
    x[i] = squared(x[i]);
}
