// Who comes last wins.
// run: --kernel last --grid 64 --threads 64 --buffer 0=zeros:u32:1
#include <metal_stdlib>
using namespace metal;

// expect next: order
kernel void last(device atomic_uint *winner [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    atomic_store_explicit(winner, i, memory_order_relaxed);
}
