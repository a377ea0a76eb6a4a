// expect: not a constant expression
#include <metal_stdlib>
using namespace metal;

kernel void sum(device float *x [[buffer(0)]], constant uint &n [[buffer(1)]], uint i [[thread_position_in_grid]])
{
    float values[n];
    values[0] = x[i];
    x[i] = values[0];
}
