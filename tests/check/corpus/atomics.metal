// Atomics: all are relaxed. Two of them never race with one another; with a plain access they do. What they leave may
// depend on the order of the threads.
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:128
#include "corpus.h"

#define COUNTS device atomic_uint *counts [[buffer(1)]]

// verdict: clean
kernel void counter(IN, COUNTS, WHERE)
{
    if (x[i] > 0.0f) atomic_fetch_add_explicit(counts, 1u, RELAXED);
}

// verdict: clean
kernel void histogram(IN, COUNTS, WHERE)
{
    atomic_fetch_add_explicit(&counts[uint(clamp(x[i] + 4.0f, 0.0f, 7.0f))], 1u, RELAXED);
}

// verdict: clean
kernel void histogram_in_threadgroup_memory(IN, COUNTS, WHERE)
{
    threadgroup atomic_uint local[8];
    if (t < 8) atomic_store_explicit(&local[t], 0u, RELAXED);
    BARRIER;
    atomic_fetch_add_explicit(&local[uint(clamp(x[i] + 4.0f, 0.0f, 7.0f))], 1u, RELAXED);
    BARRIER;
    if (t < 8) atomic_fetch_add_explicit(&counts[t], atomic_load_explicit(&local[t], RELAXED), RELAXED);
}

// verdict: unwritten
kernel void histogram_that_does_not_start_at_zero(IN, COUNTS, WHERE)
{
    threadgroup atomic_uint local[8];
    atomic_fetch_add_explicit(&local[uint(clamp(x[i] + 4.0f, 0.0f, 7.0f))], 1u, RELAXED);
    BARRIER;
    if (t < 8) atomic_fetch_add_explicit(&counts[t], atomic_load_explicit(&local[t], RELAXED), RELAXED);
}

// verdict: order, unwritten
kernel void start_without_barrier(IN, COUNTS, WHERE)
{
    threadgroup atomic_uint sum;
    if (t == 0) atomic_store_explicit(&sum, 0u, RELAXED);
    simd_sum(0u);
    atomic_fetch_add_explicit(&sum, 1u, RELAXED); // may come before the store
    BARRIER;
    if (t == 0) atomic_store_explicit(&counts[g], atomic_load_explicit(&sum, RELAXED), RELAXED);
}

// verdict: race
kernel void plain_start_without_barrier(IN, device uint *counts [[buffer(1)]], WHERE)
{
    if (t == 0) counts[g] = 0;
    atomic_fetch_add_explicit((device atomic_uint *)&counts[g], 1u, RELAXED);
}

// verdict: clean
kernel void plain_start_with_barrier(IN, device uint *counts [[buffer(1)]], WHERE)
{
    if (t == 0) counts[g] = 0;
    DEVICE_BARRIER;
    atomic_fetch_add_explicit((device atomic_uint *)&counts[g], 1u, RELAXED);
}

// verdict: race
kernel void plain_read_without_barrier(IN, device uint *counts [[buffer(1)]], WHERE)
{
    atomic_fetch_add_explicit((device atomic_uint *)&counts[g], 1u, RELAXED);
    if (t == 0) counts[64 + g] = counts[g];
}

// verdict: clean
kernel void plain_read_with_barrier(IN, device uint *counts [[buffer(1)]], WHERE)
{
    atomic_fetch_add_explicit((device atomic_uint *)&counts[g], 1u, RELAXED);
    DEVICE_BARRIER;
    if (t == 0) counts[64 + g] = counts[g];
}

// verdict: race
kernel void plain_read_of_another_threadgroup(IN, device uint *counts [[buffer(1)]], WHERE)
{
    atomic_fetch_add_explicit((device atomic_uint *)counts, 1u, RELAXED);
    DEVICE_BARRIER;
    if (t == 0) counts[64 + g] = counts[0];
}

// verdict: order
kernel void atomic_read_too_early(IN, COUNTS, WHERE)
{
    uint before = atomic_fetch_add_explicit(counts, 1u, RELAXED);
    atomic_store_explicit(&counts[1 + i % 64], before, RELAXED);
}

// verdict: clean
kernel void largest_and_smallest(IN, device atomic_int *bounds [[buffer(1)]], WHERE)
{
    atomic_fetch_max_explicit(&bounds[0], int(100.0f * x[i]), RELAXED);
    atomic_fetch_min_explicit(&bounds[1], int(100.0f * x[i]), RELAXED);
}

// verdict: clean
kernel void largest_float_by_its_bits(IN, COUNTS, WHERE)
{
    atomic_fetch_max_explicit(counts, as_type<uint>(fabs(x[i])), RELAXED);
}

// verdict: clean
kernel void bits_by_or(IN, COUNTS, WHERE)
{
    if (x[i] > 0.0f) atomic_fetch_or_explicit(&counts[i / 32], 1u << i % 32, RELAXED);
}

// verdict: clean
kernel void bits_by_and_and_xor(IN, COUNTS, WHERE)
{
    atomic_fetch_xor_explicit(&counts[i / 32], 1u << i % 32, RELAXED);
    atomic_fetch_and_explicit(&counts[64 + i / 32], ~(1u << i % 32), RELAXED);
}

// verdict: clean
kernel void counts_down(IN, COUNTS, WHERE)
{
    atomic_fetch_sub_explicit(&counts[g], 1u, RELAXED);
}

// verdict: clean
kernel void sum_of_floats(IN, device atomic_float *sum [[buffer(1)]], WHERE)
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:f32:1
{
    atomic_fetch_add_explicit(sum, x[i], RELAXED);
}

// verdict: clean
kernel void sum_of_floats_by_their_bits(IN, COUNTS, WHERE)
{
    uint expected = atomic_load_explicit(counts, RELAXED);
    while (!atomic_compare_exchange_weak_explicit(
        counts, &expected, as_type<uint>(as_type<float>(expected) + fabs(x[i])), RELAXED, RELAXED))
        ;
}

// verdict: clean
kernel void largest_by_compare_exchange(IN, COUNTS, WHERE)
{
    uint value = uint(100.0f * fabs(x[i])), seen = atomic_load_explicit(counts, RELAXED);
    while (seen < value && !atomic_compare_exchange_weak_explicit(counts, &seen, value, RELAXED, RELAXED))
        ;
}

// verdict: order
kernel void difference_by_compare_exchange(IN, COUNTS, WHERE)
{
    uint seen = atomic_load_explicit(counts, RELAXED);
    while (!atomic_compare_exchange_weak_explicit(counts, &seen, 2 * seen + i, RELAXED, RELAXED))
        ;
}

// verdict: order
kernel void last_writer(IN, COUNTS, WHERE)
{
    atomic_store_explicit(counts, i, RELAXED);
}

// verdict: clean
kernel void all_store_one(IN, COUNTS, WHERE)
{
    atomic_store_explicit(counts, 1u, RELAXED);
}

// verdict: order
kernel void exchange_chain(IN, COUNTS, WHERE)
{
    uint before = atomic_exchange_explicit(counts, i + 1, RELAXED);
    atomic_store_explicit(&counts[i % 127 + 1], before, RELAXED);
}

// verdict: clean
kernel void first_one_only(IN, COUNTS, WHERE)
{
    if (atomic_exchange_explicit(counts, 1u, RELAXED) == 0) atomic_store_explicit(&counts[1], 7u, RELAXED);
}

// verdict: order
kernel void first_one_tells_who_it_is(IN, COUNTS, WHERE)
{
    if (atomic_exchange_explicit(counts, 1u, RELAXED) == 0) atomic_store_explicit(&counts[1], i, RELAXED);
}

// A list whose order nobody promised has the same elements each time.
// verdict: clean
kernel void append(IN, COUNTS, WHERE, device float *list [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:1 --buffer 2=zeros:f32:128
{
    if (x[i] > 0.0f) list[atomic_fetch_add_explicit(counts, 1u, RELAXED)] = x[i];
}

// Lists of threads, whose heads they exchange; links[i] leads to the one before.
// verdict: clean
kernel void linked_lists(IN, COUNTS, WHERE, device uint *links [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:8 --buffer 2=zeros:u32:128
{
    links[i] = atomic_exchange_explicit(&counts[i * i % 8], i + 1, RELAXED);
}

// Nodes are taken from a pool: their value and the node before.
// verdict: clean
kernel void linked_nodes(IN, COUNTS, WHERE, device uint2 *nodes [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:9 --buffer 2=zeros:u32:256
{
    uint node = atomic_fetch_add_explicit(&counts[8], 1u, RELAXED);
    nodes[node] = uint2(1000 + i, atomic_exchange_explicit(&counts[i % 8], node + 1, RELAXED));
}

// As linked_lists, but two threads share a link, and one of them is lost.
// verdict: order
kernel void lost_links(IN, COUNTS, WHERE, device atomic_uint *links [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:8 --buffer 2=zeros:u32:128
{
    uint before = atomic_exchange_explicit(&counts[i % 8], i + 1, RELAXED);
    atomic_store_explicit(&links[i / 2], before, RELAXED);
}

// verdict: clean
kernel void append_vectors(IN, COUNTS, WHERE, device float2 *list [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:1 --buffer 2=zeros:f32:256
{
    if (x[i] > 0.0f) list[atomic_fetch_add_explicit(counts, 1u, RELAXED)] = float2(x[i], float(i));
}

// verdict: clean
kernel void append_behind_the_counter(IN, device uint *list [[buffer(1)]], WHERE)
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:129
{
    uint at = atomic_fetch_add_explicit((device atomic_uint *)list, 1u, RELAXED);
    list[1 + at] = i;
}

// verdict: clean
kernel void append_by_threadgroup(IN, COUNTS, WHERE, device float *list [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:1 --buffer 2=zeros:f32:128
{
    threadgroup atomic_uint count;
    threadgroup uint base;
    if (t == 0) atomic_store_explicit(&count, 0u, RELAXED);
    BARRIER;
    bool keep = x[i] > 0.0f;
    uint at = keep ? atomic_fetch_add_explicit(&count, 1u, RELAXED) : 0;
    BARRIER;
    if (t == 0) base = atomic_fetch_add_explicit(counts, atomic_load_explicit(&count, RELAXED), RELAXED);
    BARRIER;
    if (keep) list[base + at] = x[i];
}

// verdict: clean
kernel void append_by_simdgroup(IN, COUNTS, WHERE, device float *list [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:1 --buffer 2=zeros:f32:128
{
    uint keep = x[i] > 0.0f, at = simd_prefix_exclusive_sum(keep), count = simd_sum(keep), base = 0;
    if (l == 0) base = atomic_fetch_add_explicit(counts, count, RELAXED);
    base = simd_broadcast_first(base);
    if (keep) list[base + at] = x[i];
}

// verdict: race
kernel void append_without_atomics(IN, device uint *counts [[buffer(1)]], WHERE, device float *list [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:1 --buffer 2=zeros:f32:128
{
    if (x[i] > 0.0f) list[counts[0]++] = x[i];
}

// verdict: out-of-bounds
kernel void append_past_the_end(IN, COUNTS, WHERE, device float *list [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=ones:f32:128 --buffer 1=zeros:u32:1 --buffer 2=zeros:f32:100
{
    if (x[i] > 0.0f) list[atomic_fetch_add_explicit(counts, 1u, RELAXED)] = x[i];
}

// verdict: order
kernel void number_of_each(IN, COUNTS, WHERE, device uint *number [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:1 --buffer 2=zeros:u32:128
{
    number[i] = atomic_fetch_add_explicit(counts, 1u, RELAXED);
}

// verdict: clean
kernel void work_by_ticket(IN, COUNTS, WHERE, device float *results [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:1 --buffer 2=zeros:f32:128
{
    uint ticket = atomic_fetch_add_explicit(counts, 1u, RELAXED);
    results[ticket] = 2.0f * x[ticket];
}

struct Cell {
    atomic_uint count;
    float mean;
};

// verdict: clean
kernel void atomic_beside_a_plain_member(IN, device Cell *cells [[buffer(1)]], WHERE)
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:256
{
    atomic_fetch_add_explicit(&cells[i / 2].count, 1u, RELAXED);
    if (i % 2) cells[i / 2].mean = x[i];
}

// verdict: race
kernel void structure_over_an_atomic(IN, device uint2 *cells [[buffer(1)]], WHERE)
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:256
{
    atomic_fetch_add_explicit((device atomic_uint *)&cells[i / 2], 1u, RELAXED);
    if (i % 2) cells[i / 2] = uint2(3u, i);
}

// verdict: clean
kernel void own_atomic_read_plainly(IN, device uint *counts [[buffer(1)]], WHERE)
{
    atomic_fetch_add_explicit((device atomic_uint *)&counts[i], i, RELAXED);
    counts[i] += 1;
}

// verdict: out-of-bounds
kernel void counter_behind_the_end(IN, COUNTS, WHERE)
{
    atomic_fetch_add_explicit(&counts[i + 1], 1u, RELAXED);
}

// verdict: clean
kernel void largest_of_64_bits(IN, device atomic_ulong *keys [[buffer(1)]], WHERE)
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u64:1
{
    atomic_max_explicit(keys, ulong(as_type<uint>(fabs(x[i]))) << 32 | i, RELAXED);
}

// verdict: clean
kernel void votes_in_threadgroup_memory(IN, COUNTS, WHERE)
{
    threadgroup atomic_int votes;
    if (t == 0) atomic_store_explicit(&votes, 0, RELAXED);
    BARRIER;
    atomic_fetch_add_explicit(&votes, x[i] > 0.0f ? 1 : -1, RELAXED);
    BARRIER;
    if (atomic_load_explicit(&votes, RELAXED) > 0) atomic_fetch_add_explicit(&counts[i], 1u, RELAXED);
}

// verdict: order
kernel void votes_counted_too_early(IN, COUNTS, WHERE)
{
    threadgroup atomic_int votes;
    if (t == 0) atomic_store_explicit(&votes, 0, RELAXED);
    BARRIER;
    int before = atomic_fetch_add_explicit(&votes, 1, RELAXED);
    atomic_store_explicit(&counts[i], uint(before > 31), RELAXED);
}
