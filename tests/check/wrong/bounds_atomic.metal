// No bin for what is too large.
// run: --kernel histogram --grid 64 --threads 64 --buffer 0=random:u32:64 --buffer 1=zeros:u32:50
#include <metal_stdlib>
using namespace metal;

kernel void histogram(device const uint *x [[buffer(0)]], device atomic_uint *bins [[buffer(1)]],
                      uint i [[thread_position_in_grid]])
{
    atomic_fetch_add_explicit(&bins[x[i] < 50 ? x[i] : 50], 1u, memory_order_relaxed); // expect: out-of-bounds
}
