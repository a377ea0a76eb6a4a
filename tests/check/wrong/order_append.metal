// A list in the order in which threads happen to come.
// run: --kernel select_positive --grid 64 --threads 16 --buffer 0=range:f32:64 --buffer 1=zeros:f32:64 --buffer 2=zeros:u32:1
#include <metal_stdlib>
using namespace metal;

// expect next: order
kernel void select_positive(device const float *x [[buffer(0)]], device float *out [[buffer(1)]],
                            device atomic_uint *count [[buffer(2)]], uint i [[thread_position_in_grid]])
{
    if (x[i] > 10.0f) out[atomic_fetch_add_explicit(count, 1u, memory_order_relaxed)] = x[i];
}
