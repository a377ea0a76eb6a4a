// expect: no matching function
#include <metal_stdlib>
using namespace metal;

kernel void count(device uint *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    atomic_fetch_add_explicit(&x[0], i, memory_order_relaxed);
}
