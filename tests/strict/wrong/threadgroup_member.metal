// expect: address space
#include <metal_stdlib>
using namespace metal;

struct Tile {
    threadgroup float values[32];
};

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = 0.0f;
}
