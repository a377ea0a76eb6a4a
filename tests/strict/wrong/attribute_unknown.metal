// expect: not supported
#include <metal_stdlib>
using namespace metal;

kernel void clear(device float *x [[buffer(0)]], uint i [[thread_number]])
{
    x[i] = 0.0f;
}
