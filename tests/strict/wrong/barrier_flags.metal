// expect: no matching function|cannot initialize
#include <metal_stdlib>
using namespace metal;

kernel void wait(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    threadgroup_barrier(0);
    x[i] = 0.0f;
}
