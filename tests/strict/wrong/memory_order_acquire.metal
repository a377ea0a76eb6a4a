// expect: memory_order_acquire
#include <metal_stdlib>
using namespace metal;

kernel void count(device atomic_uint *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    atomic_fetch_add_explicit(x, i, memory_order_acquire);
}
