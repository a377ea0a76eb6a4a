// Bins are read without an atomic while others count.
// run: --kernel histogram --grid 64 --threads 64 --buffer 0=random:u32:64 --buffer 1=empty:u32:8
#include <metal_stdlib>
using namespace metal;

kernel void histogram(device const uint *x [[buffer(0)]], device uint *out [[buffer(1)]],
                      uint i [[thread_position_in_grid]])
{
    threadgroup atomic_uint bins[8];
    if (i < 8) atomic_store_explicit(&bins[i], 0u, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    atomic_fetch_add_explicit(&bins[x[i] % 8], 1u, memory_order_relaxed); // expect: race
    if (i < 8) out[i] = ((threadgroup uint *)bins)[i]; // expect: race
}
