// Every kind of atomic.
// run: --kernel all --grid 100 --threads 32 --buffer 0=random:i32:100 --buffer 1=zeros:i32:6 --buffer 2=zeros:u32:5 --buffer 3=zeros:f32:1
#include <metal_stdlib>
using namespace metal;

kernel void all(device const int *x [[buffer(0)]], device atomic_int *out [[buffer(1)]],
                device atomic_uint *bits [[buffer(2)]], device atomic_float *sum [[buffer(3)]],
                uint i [[thread_position_in_grid]])
{
    atomic_fetch_add_explicit(&out[0], x[i], memory_order_relaxed);
    atomic_fetch_sub_explicit(&out[1], x[i], memory_order_relaxed);
    atomic_fetch_min_explicit(&out[2], x[i], memory_order_relaxed);
    atomic_fetch_max_explicit(&out[3], x[i], memory_order_relaxed);
    atomic_fetch_and_explicit(&bits[0], uint(x[i]), memory_order_relaxed);
    atomic_fetch_or_explicit(&bits[1], uint(x[i]), memory_order_relaxed);
    atomic_fetch_xor_explicit(&bits[2], uint(x[i]), memory_order_relaxed);
    atomic_fetch_add_explicit(&sum[0], float(x[i]), memory_order_relaxed);
    atomic_exchange_explicit(&out[4], 5, memory_order_relaxed);
    int old = atomic_load_explicit(&out[5], memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&out[5], &old, old + x[i], memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}
