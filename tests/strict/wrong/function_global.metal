// expect: tanhf
#include <metal_stdlib>
using namespace metal;

kernel void squash(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = tanhf(x[i]);
}
