// expect: local address space|outside a kernel
#include <metal_stdlib>
using namespace metal;

static float half_of(float value)
{
    threadgroup float values[32];
    values[0] = value;
    return 0.5f * values[0];
}

kernel void halve(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = half_of(x[i]);
}
