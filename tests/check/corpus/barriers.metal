// Barriers: every thread of the threadgroup must reach each of them, in the same order, and one orders just the memory
// that it names.
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:f32:128
#include "corpus.h"

// verdict: barrier
kernel void in_a_branch(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    if (t < 32) BARRIER;
    out[i] = v[t];
}

// verdict: clean
kernel void in_a_branch_that_all_take(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    if (g < 2) BARRIER;
    out[i] = v[t ^ 1];
}

// verdict: clean
kernel void in_a_branch_by_threadgroup(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    if (g == 0) {
        BARRIER;
        out[i] = v[t ^ 1];
    } else {
        out[i] = v[t];
    }
}

// verdict: barrier
kernel void in_both_branches(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    if (t < 32)
        BARRIER;
    else
        BARRIER;
    out[i] = v[t];
}

// verdict: barrier
kernel void behind_an_early_return(IN, OUT, WHERE)
{
    if (i >= 100) return;
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    out[i] = v[t];
}

// verdict: clean
kernel void guard_instead_of_return(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = i < 100 ? x[i] : 0.0f;
    BARRIER;
    if (i < 100) out[i] = v[t ^ 1];
}

// verdict: clean
kernel void return_of_whole_threadgroups(IN, OUT, WHERE)
{
    if (g == 1) return;
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    out[i] = v[t ^ 1];
}

// verdict: barrier
kernel void loop_with_different_counts(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    for (uint k = 0; k <= t / 32; k++) BARRIER;
    out[i] = v[t];
}

// verdict: barrier
kernel void strided_loop_over_a_rest(IN, OUT, WHERE)
{
    threadgroup float v[64];
    float sum = 0.0f;
    for (uint c = t; c < 100; c += 64) { // 36 threads go round twice
        v[t] = x[c];
        BARRIER;
        sum += v[t];
    }
    out[i] = sum;
}

// verdict: barrier
kernel void break_before_it(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    for (uint k = 0; k < 4; k++) {
        if (k == t % 4) break;
        BARRIER;
    }
    out[i] = v[t];
}

// verdict: barrier
kernel void continue_past_it(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    for (uint k = 0; k < 2; k++) {
        if (k == 1 && t == 5) continue;
        BARRIER;
    }
    out[i] = v[t];
}

// verdict: barrier
kernel void by_data(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    if (x[i] > 0.0f) BARRIER;
    out[i] = v[t];
}

// verdict: clean
kernel void by_shared_data(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    if (v[0] > 0.0f) BARRIER;
    out[i] = v[t ^ 1];
}

static void meet()
{
    threadgroup_barrier(mem_flags::mem_threadgroup);
}

// verdict: barrier
kernel void in_a_helper_of_one_branch(IN, OUT, WHERE)
{
    if (t % 2) meet();
    out[i] = x[i];
}

// verdict: barrier
kernel void switch_over_threads(IN, OUT, WHERE)
{
    switch (t % 3) {
    case 0: BARRIER; break;
    case 1: out[i] = x[i]; break;
    default: break;
    }
}

// verdict: barrier
kernel void simdgroup_barrier_in_a_branch(IN, OUT, WHERE)
{
    if (l < 7) SIMDGROUP_BARRIER;
    out[i] = x[i];
}

// verdict: clean
kernel void simdgroup_barrier_of_one_simdgroup(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    if (s == 1) SIMDGROUP_BARRIER;
    out[i] = s == 1 ? v[t ^ 1] : v[t];
}

// verdict: barrier
kernel void one_simdgroup_alone(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    if (s == 0) BARRIER;
    out[i] = v[t];
}

// verdict: barrier
kernel void two_kinds_of_barrier(IN, OUT, WHERE)
{
    if (s == 0)
        BARRIER;
    else
        SIMDGROUP_BARRIER;
    out[i] = x[i];
}

// verdict: warning race
kernel void names_device_memory(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    DEVICE_BARRIER;
    out[i] = v[t ^ 1];
}

// verdict: warning race
kernel void names_nothing(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    threadgroup_barrier(mem_flags::mem_none);
    out[i] = v[t ^ 1];
}

// verdict: warning race
kernel void names_textures(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    threadgroup_barrier(mem_flags::mem_texture);
    out[i] = v[t ^ 1];
}

// verdict: clean
kernel void names_nothing_where_nothing_is_shared(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    threadgroup_barrier(mem_flags::mem_none);
    out[i] = v[t];
}

// verdict: clean
kernel void names_nothing_then_all(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    threadgroup_barrier(mem_flags::mem_none);
    BARRIER;
    out[i] = v[t ^ 1];
}

// verdict: warning race
kernel void read_before_write_without_memory(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    float other = v[t ^ 32];
    threadgroup_barrier(mem_flags::mem_none);
    v[t] = 2.0f * other;
    BARRIER;
    out[i] = v[t];
}

// verdict: warning race
kernel void simdgroup_barrier_names_nothing(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    simdgroup_barrier(mem_flags::mem_none);
    out[i] = v[t ^ 1];
}

// verdict: clean
kernel void threads_of_a_partial_threadgroup(IN, OUT, WHERE)
// run: --grid 100 --threads 64 --buffer 0=random:f32:100 --buffer 1=zeros:f32:100
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    out[i] = v[0];
}

// verdict: unwritten
kernel void partial_threadgroup_reads_all(IN, OUT, WHERE)
// run: --grid 100 --threads 64 --buffer 0=random:f32:100 --buffer 1=zeros:f32:100
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    out[i] = v[63 - t];
}

// verdict: clean
kernel void two_loops_of_one_count(IN, OUT, WHERE)
{
    threadgroup float v[64];
    for (uint k = 0; k < 3; k++) {
        v[t] = x[i] + float(k);
        BARRIER;
        out[i] += v[t ^ k];
        BARRIER;
    }
}
