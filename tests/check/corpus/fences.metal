// Flags, fences and loops that wait. A relaxed flag orders nothing by itself; with a releasing fence before the store and
// an acquiring one behind the load that sees it, what came before is there. Threads of one threadgroup that wait for one
// another go on, except within a simdgroup; a threadgroup that has not started need never start.
// run: --grid 64 --threads 64 --time-limit 5 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64 --buffer 2=zeros:u32:64
#include "corpus.h"

#define FLAGS device atomic_uint *flags [[buffer(2)]]
#define LOAD(flag)         atomic_load_explicit(&(flag), RELAXED)
#define STORE(flag, value) atomic_store_explicit(&(flag), value, RELAXED)

static void fence(mem_flags flags, memory_order order)
{
    atomic_thread_fence(flags, order, thread_scope_device);
}
#define RELEASE fence(mem_flags::mem_device, memory_order_release)
#define ACQUIRE fence(mem_flags::mem_device, memory_order_acquire)

// verdict: clean
kernel void waits_for_a_flag(IN, OUT, FLAGS, WHERE)
{
    if (t == 0) STORE(flags[0], 1u);
    if (t == 32)
        while (LOAD(flags[0]) == 0)
            ;
    out[i] = x[i];
}

// verdict: clean
kernel void waits_for_all_simdgroups(IN, OUT, FLAGS, WHERE)
{
    if (l == 0) atomic_fetch_add_explicit(&flags[0], 1u, RELAXED);
    if (l == 0)
        while (LOAD(flags[0]) < 2)
            ;
    out[i] = x[i];
}

// verdict: fault
kernel void waits_for_what_nobody_sets(IN, OUT, FLAGS, WHERE)
{
    if (t == 32)
        while (LOAD(flags[0]) == 0)
            ;
    out[i] = x[i];
}

// verdict: fault
kernel void wait_for_each_other(IN, OUT, FLAGS, WHERE)
{
    if (l == 0) {
        while (LOAD(flags[1 - s]) == 0)
            ;
        STORE(flags[s], 1u);
    }
    out[i] = x[i];
}

// verdict: fault
kernel void waits_for_one_behind_the_barrier(IN, OUT, FLAGS, WHERE)
{
    if (t == 32)
        while (LOAD(flags[0]) == 0)
            ;
    BARRIER;
    if (t == 0) STORE(flags[0], 1u);
    out[i] = x[i];
}

// verdict: clean
kernel void waits_in_threadgroup_memory(IN, OUT, FLAGS, WHERE)
{
    threadgroup atomic_uint turn;
    if (t == 0) STORE(turn, 0u);
    BARRIER;
    if (l == 0) {
        while (LOAD(turn) != s)
            ;
        STORE(turn, s + 1);
    }
    out[i] = x[i];
}

// verdict: race
kernel void waits_by_plain_reads(IN, OUT, device uint *flags [[buffer(2)]], WHERE)
{
    volatile device uint *flag = flags;
    if (t == 0) *flag = 1;
    if (t == 32)
        while (*flag == 0)
            ;
    out[i] = x[i];
}

// verdict: fault
kernel void waits_for_a_later_threadgroup(IN, OUT, FLAGS, uint t [[thread_index_in_threadgroup]],
                                          uint g [[threadgroup_position_in_grid]])
// run: --grid 512 --threads 64 --time-limit 5 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64 --buffer 2=zeros:u32:64
{
    if (t) return;
    STORE(flags[g], 1u);
    while (LOAD(flags[(g + 1) % 8]) == 0)
        ;
    out[g] = x[g];
}

// verdict: clean
kernel void tickets_wait_for_earlier_ones(IN, OUT, FLAGS, uint t [[thread_index_in_threadgroup]])
// run: --grid 512 --threads 64 --time-limit 5 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64 --buffer 2=zeros:u32:64
{
    if (t) return;
    uint ticket = atomic_fetch_add_explicit(&flags[63], 1u, RELAXED);
    while (ticket > 0 && LOAD(flags[ticket - 1]) == 0)
        ;
    STORE(flags[ticket], 1u);
    out[ticket] = x[ticket];
}

// verdict: race
kernel void data_behind_a_relaxed_flag(IN, OUT, FLAGS, WHERE)
{
    if (t == 0) {
        out[0] = x[0];
        STORE(flags[0], 1u);
    }
    if (t == 32) {
        while (LOAD(flags[0]) == 0)
            ;
        out[32] = out[0];
    }
}

// verdict: clean
kernel void data_behind_fences(IN, OUT, FLAGS, WHERE)
{
    if (t == 0) {
        out[0] = x[0];
        RELEASE;
        STORE(flags[0], 1u);
    }
    if (t == 32) {
        while (LOAD(flags[0]) == 0)
            ;
        ACQUIRE;
        out[32] = out[0];
    }
}

// verdict: clean
kernel void data_behind_seq_cst_fences(IN, OUT, FLAGS, WHERE)
{
    if (t == 0) {
        out[0] = x[0];
        fence(mem_flags::mem_device, memory_order_seq_cst);
        STORE(flags[0], 1u);
    }
    if (t == 32) {
        while (LOAD(flags[0]) == 0)
            ;
        fence(mem_flags::mem_device, memory_order_seq_cst);
        out[32] = out[0];
    }
}

// verdict: race
kernel void fence_of_the_writer_alone(IN, OUT, FLAGS, WHERE)
{
    if (t == 0) {
        out[0] = x[0];
        RELEASE;
        STORE(flags[0], 1u);
    }
    if (t == 32) {
        while (LOAD(flags[0]) == 0)
            ;
        out[32] = out[0];
    }
}

// verdict: race
kernel void fence_of_the_reader_alone(IN, OUT, FLAGS, WHERE)
{
    if (t == 0) {
        out[0] = x[0];
        STORE(flags[0], 1u);
    }
    if (t == 32) {
        while (LOAD(flags[0]) == 0)
            ;
        ACQUIRE;
        out[32] = out[0];
    }
}

// verdict: race
kernel void fence_behind_the_store(IN, OUT, FLAGS, WHERE)
{
    if (t == 0) {
        STORE(flags[0], 1u);
        RELEASE;
        out[0] = x[0];
    }
    if (t == 32) {
        while (LOAD(flags[0]) == 0)
            ;
        ACQUIRE;
        out[32] = out[0];
    }
}

// verdict: race
kernel void fences_for_the_other_memory(IN, OUT, FLAGS, WHERE)
{
    if (t == 0) {
        out[0] = x[0];
        fence(mem_flags::mem_threadgroup, memory_order_release);
        STORE(flags[0], 1u);
    }
    if (t == 32) {
        while (LOAD(flags[0]) == 0)
            ;
        fence(mem_flags::mem_threadgroup, memory_order_acquire);
        out[32] = out[0];
    }
}

// verdict: race
kernel void relaxed_fences(IN, OUT, FLAGS, WHERE)
{
    if (t == 0) {
        out[0] = x[0];
        fence(mem_flags::mem_device, memory_order_relaxed);
        STORE(flags[0], 1u);
    }
    if (t == 32) {
        while (LOAD(flags[0]) == 0)
            ;
        fence(mem_flags::mem_device, memory_order_relaxed);
        out[32] = out[0];
    }
}

// verdict: race
kernel void fences_without_a_flag(IN, OUT, FLAGS, WHERE)
{
    if (t == 0) {
        out[0] = x[0];
        RELEASE;
    }
    if (t == 32) {
        ACQUIRE;
        out[32] = out[0];
    }
}

// verdict: race
kernel void fences_with_another_flag(IN, OUT, FLAGS, WHERE)
{
    if (t == 0) {
        out[0] = x[0];
        RELEASE;
        STORE(flags[0], 1u);
    }
    if (t == 32) {
        LOAD(flags[1]);
        ACQUIRE;
        out[32] = out[0];
    }
}

// verdict: clean
kernel void threadgroup_memory_behind_fences(IN, OUT, FLAGS, WHERE)
{
    threadgroup float v;
    threadgroup atomic_uint ready;
    if (t == 0) STORE(ready, 0u);
    BARRIER;
    if (t == 0) {
        v = x[0];
        fence(mem_flags::mem_threadgroup, memory_order_release);
        STORE(ready, 1u);
    }
    if (t == 32) {
        while (LOAD(ready) == 0)
            ;
        fence(mem_flags::mem_threadgroup, memory_order_acquire);
        out[0] = v;
    }
}

#define GROUPS uint t [[thread_index_in_threadgroup]], uint g [[threadgroup_position_in_grid]]
// Sums of threadgroups; the threadgroup that comes last adds them up.

// verdict: clean
kernel void last_threadgroup_adds_up(IN, OUT, FLAGS, GROUPS)
// run: --grid 512 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64 --buffer 2=zeros:u32:64
{
    if (t) return;
    out[g] = x[g];
    RELEASE;
    if (atomic_fetch_add_explicit(&flags[0], 1u, RELAXED) != 7) return;
    ACQUIRE;
    for (uint k = 0; k < 8; k++) out[63] += out[k];
}

// verdict: race
kernel void last_threadgroup_adds_up_without_fences(IN, OUT, FLAGS, GROUPS)
// run: --grid 512 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64 --buffer 2=zeros:u32:64
{
    if (t) return;
    out[g] = x[g];
    if (atomic_fetch_add_explicit(&flags[0], 1u, RELAXED) != 7) return;
    for (uint k = 0; k < 8; k++) out[63] += out[k];
}

// verdict: race
kernel void last_threadgroup_trusts_a_barrier(IN, OUT, FLAGS, GROUPS)
// run: --grid 512 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64 --buffer 2=zeros:u32:64
{
    threadgroup uint before;
    if (t == 0) out[g] = x[g];
    DEVICE_BARRIER;
    if (t == 0) before = atomic_fetch_add_explicit(&flags[0], 1u, RELAXED);
    BARRIER;
    if (before == 7 && t < 8) out[32 + t] = out[t];
}

// verdict: clean
kernel void last_threadgroup_with_all_its_threads(IN, OUT, FLAGS, GROUPS)
// run: --grid 512 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64 --buffer 2=zeros:u32:64
{
    threadgroup uint before;
    if (t < 4) out[4 * g + t] = x[4 * g + t];
    DEVICE_BARRIER;
    if (t == 0) {
        RELEASE;
        before = atomic_fetch_add_explicit(&flags[0], 1u, RELAXED);
        ACQUIRE;
    }
    threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
    if (before == 7 && t < 16) out[32 + t] = out[t];
}

// verdict: race
kernel void too_early_for_the_last_threadgroup(IN, OUT, FLAGS, GROUPS)
// run: --grid 512 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64 --buffer 2=zeros:u32:64
{
    if (t) return;
    out[g] = x[g];
    RELEASE;
    if (atomic_fetch_add_explicit(&flags[0], 1u, RELAXED) != 5) return;
    ACQUIRE;
    for (uint k = 0; k < 8; k++) out[63] += out[k];
}

// verdict: clean
kernel void chain_of_threadgroups(IN, OUT, FLAGS, GROUPS)
// run: --grid 512 --threads 64 --time-limit 5 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64 --buffer 2=zeros:u32:64
{
    if (t) return;
    uint ticket = atomic_fetch_add_explicit(&flags[63], 1u, RELAXED);
    float sum = x[ticket];
    if (ticket > 0) {
        while (LOAD(flags[ticket - 1]) == 0)
            ;
        ACQUIRE;
        sum += out[ticket - 1];
    }
    out[ticket] = sum;
    RELEASE;
    STORE(flags[ticket], 1u);
}

// verdict: clean
kernel void lock_with_fences(IN, OUT, FLAGS, WHERE)
{
    if (l) return;
    uint free = 0;
    while (!atomic_compare_exchange_weak_explicit(&flags[0], &free, 1u, RELAXED, RELAXED)) free = 0;
    ACQUIRE;
    out[0] += x[i];
    RELEASE;
    STORE(flags[0], 0u);
}

// verdict: race
kernel void lock_without_fences(IN, OUT, FLAGS, WHERE)
{
    if (l) return;
    uint free = 0;
    while (!atomic_compare_exchange_weak_explicit(&flags[0], &free, 1u, RELAXED, RELAXED)) free = 0;
    out[0] += x[i];
    STORE(flags[0], 0u);
}
