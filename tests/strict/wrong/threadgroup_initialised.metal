// expect: cannot have an initializer
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    threadgroup float values[2] = {1.0f, 2.0f};
    x[i] = values[0];
}
