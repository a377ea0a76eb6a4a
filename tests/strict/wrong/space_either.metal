// expect: incompatible operand types
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    threadgroup float values[2];
    values[0] = x[i];
    auto source = i == 0 ? x : values;
    x[i] = *source;
}
