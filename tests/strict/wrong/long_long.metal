// expect: long long
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    long long index = i;
    x[index] = 0.0f;
}
