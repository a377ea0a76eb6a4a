// expect: incompatible type
#include <metal_stdlib>
using namespace metal;

kernel void count(device atomic_uint *x [[buffer(0)]], device uint *out [[buffer(1)]],
                  uint i [[thread_position_in_grid]])
{
    out[i] = x[i];
}
