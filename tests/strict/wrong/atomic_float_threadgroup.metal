// expect: no matching function
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    threadgroup atomic_float sum;
    atomic_fetch_add_explicit(&sum, x[i], memory_order_relaxed);
}
