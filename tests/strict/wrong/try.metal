// expect: exceptions disabled
#include <metal_stdlib>
using namespace metal;

kernel void check(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    try {
        x[i] = 0.0f;
    } catch (...) {
    }
}
