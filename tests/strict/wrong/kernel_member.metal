// expect: class members
#include <metal_stdlib>
using namespace metal;

struct Clear {
    kernel void clear(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
    {
        x[i] = 0.0f;
    }
};
