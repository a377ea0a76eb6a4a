// expect: no matching function
#include <metal_stdlib>
using namespace metal;

kernel void count(device atomic_float *x [[buffer(0)]])
{
    atomic_fetch_max_explicit(x, 1.0f, memory_order_relaxed);
}
