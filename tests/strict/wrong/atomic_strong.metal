// expect: atomic_compare_exchange_strong
#include <metal_stdlib>
using namespace metal;

kernel void count(device atomic_uint *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    uint expected = 0u;
    atomic_compare_exchange_strong_explicit(x, &expected, i, memory_order_relaxed, memory_order_relaxed);
}
