// expect: atomic_thread_fence|memory_order_seq_cst
#include <metal_stdlib>
using namespace metal;

kernel void scale(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst);
    x[i] = 0.0f;
}
