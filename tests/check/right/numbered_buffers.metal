// Buffers take the lowest index that is free, in their order.
// run: --kernel add --grid 20 --threads 10 --buffer 0=random:f32:20 --buffer 1=random:f32:20 --buffer 2=empty:f32:20 --bytes 3=f32:2 --threadgroup-memory 0=48
#include <metal_stdlib>
using namespace metal;

kernel void add(
    device const float *a,
    device const float *b [[buffer(1)]],
    device float *out,
    constant float &factor,
    threadgroup float *shared,
    uint i [[thread_position_in_grid]],
    uint t [[thread_index_in_threadgroup]])
{
    shared[t] = a[i] + factor * b[i];
    out[i] = shared[t];
}
