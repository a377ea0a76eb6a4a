// expect: static
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    static constant float table[2] = {1.0f, 2.0f};
    x[i] *= table[i % 2];
}
