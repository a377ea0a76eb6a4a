// expect: atomic_ulong
#include <metal_stdlib>
using namespace metal;

kernel void count(device atomic_ulong *x [[buffer(0)]])
{
    atomic_fetch_add_explicit(x, 1ul, memory_order_relaxed);
}
