// expect: value: a pointer or reference needs an address space
#include <metal_stdlib>
using namespace metal;

static void increment(float &value)
{
    value += 1.0f;
}

kernel void increments(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    float value = x[i];
    increment(value);
    x[i] = value;
}
