// expect: no \[\[attribute\]\]
#include <metal_stdlib>
using namespace metal;

kernel void clear(device float *x, uint i [[thread_position_in_grid]])
{
    x[i] = 0.0f;
}
