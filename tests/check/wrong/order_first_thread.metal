// Tickets are drawn in any order.
// run: --kernel ticket --grid 32 --threads 32 --buffer 0=zeros:u32:1 --buffer 1=empty:u32:32
#include <metal_stdlib>
using namespace metal;

// expect next: order
kernel void ticket(device atomic_uint *next [[buffer(0)]], device uint *out [[buffer(1)]],
                   uint i [[thread_position_in_grid]])
{
    out[i] = atomic_fetch_add_explicit(next, 1u, memory_order_relaxed);
}
