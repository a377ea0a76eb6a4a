// Atomics in device and in threadgroup memory.
#include <metal_stdlib>
using namespace metal;

kernel void histogram(
    device const uint *x [[buffer(0)]],
    device atomic_uint *bins [[buffer(1)]],
    device atomic_int *sum [[buffer(2)]],
    device atomic_float *total [[buffer(3)]],
    constant uint &N [[buffer(4)]],
    uint i [[thread_position_in_grid]],
    ushort thread_index [[thread_index_in_threadgroup]])
{
    threadgroup atomic_uint count;
    if (thread_index == 0) atomic_store_explicit(&count, 0u, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (i < N) {
        atomic_fetch_add_explicit(&bins[x[i] % 16], 1u, memory_order_relaxed);
        atomic_fetch_max_explicit(sum, int(x[i]), memory_order_relaxed);
        atomic_fetch_add_explicit(total, 1.0f, memory_order_relaxed);
        atomic_fetch_add_explicit(&count, 1u, memory_order_relaxed);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup | mem_flags::mem_device);
    uint expected = atomic_load_explicit(&count, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&bins[16], &expected, expected + 1u,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}
