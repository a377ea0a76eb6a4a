// expect: values: a pointer or reference needs an address space
#include <metal_stdlib>
using namespace metal;

static float first(const float *values)
{
    return values[0];
}

kernel void firsts(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = first(x + i);
}
