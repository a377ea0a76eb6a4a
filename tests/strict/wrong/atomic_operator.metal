// expect: no viable
#include <metal_stdlib>
using namespace metal;

kernel void count(device atomic_uint *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] += 1u;
}
