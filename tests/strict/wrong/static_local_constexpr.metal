// expect: static|constant address space
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    static constexpr float factor = 2.0f;
    x[i] *= factor;
}
