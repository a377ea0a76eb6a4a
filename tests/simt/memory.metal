// Threadgroup memory, barriers, atomics, the stack.
#include <metal_stdlib>
using namespace metal;

// out[i] = the value of the thread at the other end of the threadgroup.
kernel void reverse(
    device const float *x [[buffer(0)]],
    device float *out [[buffer(1)]],
    uint i [[thread_position_in_grid]],
    uint index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]])
{
    threadgroup float values[1024];
    values[index] = x[i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[i] = values[threads - 1 - index];
}

// The same through [[threadgroup(n)]] arguments, with one more that stays untouched.
kernel void reverse_scratch(
    device const float *x [[buffer(0)]],
    device float *out [[buffer(1)]],
    threadgroup float *values [[threadgroup(1)]],
    threadgroup uint *other [[threadgroup(0)]],
    uint i [[thread_position_in_grid]],
    uint index [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]])
{
    values[index] = x[i];
    other[index] = index;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[i] = values[threads - 1 - index] + float(other[index] - index);
}

static float sum_of_neighbours(threadgroup float *values, uint index, uint threads)
{
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float sum = values[(index + 1) % threads] + values[(index + threads - 1) % threads];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    return sum;
}

// Barriers in a function called from two places, in a loop.
kernel void smooth(
    device float *x [[buffer(0)]],
    constant uint &steps [[buffer(1)]],
    uint i [[thread_index_in_threadgroup]],
    uint threads [[threads_per_threadgroup]])
{
    threadgroup float values[1024];
    for (uint step = 0; step < steps; step++) {
        values[i] = x[i];
        x[i] = 0.25f * sum_of_neighbours(values, i, threads);
        values[i] = x[i];
        x[i] = 0.5f * sum_of_neighbours(values, i, threads);
    }
}

// What threadgroup memory holds before anyone writes to it, and again in the next threadgroup.
kernel void unwritten(
    device float *out [[buffer(0)]], // [threads,2]
    uint i [[thread_position_in_grid]])
{
    threadgroup float value;
    threadgroup half values[3][5];
    out[2 * i] = value;
    out[2 * i + 1] = float(values[2][4]);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    value = 1.0f;
    values[2][4] = half(1.0f);
}

kernel void histogram(
    device const uint *x [[buffer(0)]],
    device atomic_uint *bins [[buffer(1)]], // [16]
    device atomic_int *extremes [[buffer(2)]], // [2] smallest, largest
    device atomic_float *sum [[buffer(3)]],
    device uint *group_counts [[buffer(4)]],
    uint i [[thread_position_in_grid]],
    uint index [[thread_index_in_threadgroup]],
    uint group [[threadgroup_position_in_grid]])
{
    threadgroup atomic_uint odd;
    if (index == 0) atomic_store_explicit(&odd, 0u, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    atomic_fetch_add_explicit(&bins[x[i] % 16], 1u, memory_order_relaxed);
    atomic_fetch_min_explicit(&extremes[0], int(x[i]), memory_order_relaxed);
    atomic_fetch_max_explicit(&extremes[1], int(x[i]), memory_order_relaxed);
    atomic_fetch_add_explicit(sum, float(x[i] % 16), memory_order_relaxed);
    uint count = atomic_load_explicit(&odd, memory_order_relaxed);
    while (x[i] % 2 == 1 &&
           !atomic_compare_exchange_weak_explicit(&odd, &count, count + 1, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (index == 0) group_counts[group] = atomic_exchange_explicit(&odd, 0u, memory_order_relaxed);
}

// 100,000 bytes of stack per thread, alive across a barrier.
kernel void large_stack(
    device float *out [[buffer(0)]],
    uint i [[thread_position_in_grid]])
{
    float values[25000];
    for (uint n = 0; n < 25000; n++) values[n] = float(n + i);
    threadgroup_barrier(mem_flags::mem_none);
    float sum = 0.0f;
    for (uint n = 0; n < 25000; n += 5000) sum += values[n];
    out[i] = sum;
}
