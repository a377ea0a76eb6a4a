// expect: cannot initialize|no matching function
#include <metal_stdlib>
using namespace metal;

static float first(device const float *values)
{
    return values[0];
}

kernel void firsts(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    threadgroup float values[4];
    values[0] = x[i];
    x[i] = first(values);
}
