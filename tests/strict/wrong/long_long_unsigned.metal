// expect: long long
#include <metal_stdlib>
using namespace metal;

static unsigned long long hash(uint value)
{
    return value * 0x9E3779B97F4A7C15ul;
}

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = float(hash(i));
}
