// expect: assert
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    assert(i < 1024);
    x[i] = 0.0f;
}
