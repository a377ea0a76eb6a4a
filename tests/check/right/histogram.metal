// Atomics are no races, in one threadgroup and between many.
// run: --kernel histogram --grid 200 --threads 64 --buffer 0=random:u32:200 --buffer 1=zeros:u32:16
#include <metal_stdlib>
using namespace metal;

kernel void histogram(device const uint *x [[buffer(0)]], device atomic_uint *out [[buffer(1)]],
                      uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]],
                      uint threads [[threads_per_threadgroup]])
{
    threadgroup atomic_uint bins[16];
    for (uint b = t; b < 16; b += threads) atomic_store_explicit(&bins[b], 0u, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    atomic_fetch_add_explicit(&bins[x[i] % 16], 1u, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint b = t; b < 16; b += threads)
        atomic_fetch_add_explicit(&out[b], atomic_load_explicit(&bins[b], memory_order_relaxed),
                                  memory_order_relaxed);
}
