// expect: no matching function
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    atomic_uint count;
    atomic_store_explicit(&count, 0u, memory_order_relaxed);
    x[i] = 0.0f;
}
