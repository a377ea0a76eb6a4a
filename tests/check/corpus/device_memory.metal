// Device memory: a barrier that names it orders one threadgroup; nothing orders two but fences.
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:f32:128
#include "corpus.h"

// verdict: clean
kernel void own_element(IN, OUT, WHERE)
{
    out[i] = x[i];
    out[i] += 1.0f;
}

// verdict: race
kernel void neighbour_without_barrier(IN, OUT, WHERE)
{
    out[i] = x[i];
    out[i] += out[i ^ 1];
}

// verdict: clean
kernel void within_the_threadgroup(IN, OUT, WHERE)
{
    out[i] = x[i];
    DEVICE_BARRIER;
    float v = out[i ^ 33];
    DEVICE_BARRIER;
    out[i] = v;
}

// verdict: warning race
kernel void barrier_for_the_other_memory(IN, OUT, WHERE)
{
    out[i] = x[i];
    BARRIER;
    float v = out[i ^ 33];
    DEVICE_BARRIER;
    out[i] = v;
}

// verdict: race
kernel void across_threadgroups(IN, OUT, WHERE)
{
    out[i] = x[i];
    DEVICE_BARRIER;
    float v = out[127 - i];
    DEVICE_BARRIER;
    out[i] = v;
}

// verdict: race
kernel void shift_in_place(device float *v [[buffer(1)]], IN, WHERE)
{
    if (i < 127) v[i] = v[i + 1] + x[i];
}

// verdict: race
kernel void reverse_in_place(device float *v [[buffer(1)]], IN, WHERE)
{
    v[i] = v[127 - i] + x[i];
}

// verdict: clean
kernel void swap_pairs(device float *v [[buffer(1)]], IN, WHERE)
{
    if (i % 2) return;
    float first = v[i];
    v[i] = v[i + 1] + x[i];
    v[i + 1] = first;
}

// verdict: race
kernel void sum_into_one(IN, OUT, WHERE)
{
    out[0] += x[i];
}

// verdict: race
kernel void sum_into_one_per_threadgroup(IN, OUT, WHERE)
{
    out[g] += x[i];
}

// verdict: clean
kernel void sum_by_one_thread(IN, OUT, WHERE)
{
    if (t) return;
    for (uint k = 0; k < 64; k++) out[g] += x[64 * g + k];
}

// verdict: race
kernel void histogram_without_atomics(IN, device uint *bins [[buffer(1)]], WHERE)
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:8
{
    bins[uint(clamp(x[i] + 4.0f, 0.0f, 7.0f))]++;
}

// verdict: warning race
kernel void same_value_from_all(IN, OUT, WHERE)
{
    out[0] = 3.0f;
    if (i) out[i] = x[i];
}

// verdict: warning race
kernel void flag_for_a_negative_element(IN, device uint *flag [[buffer(1)]], WHERE)
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:1
{
    if (x[i] < 0.0f) *flag = 1;
}

// verdict: race
kernel void last_negative_element(IN, device uint *at [[buffer(1)]], WHERE)
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:1
{
    if (x[i] < 0.0f) *at = i;
}

// verdict: clean
kernel void rows(IN, OUT, WHERE)
{
    if (i >= 16) return;
    float sum = 0.0f;
    for (uint c = 0; c < 8; c++) sum += x[8 * i + c];
    for (uint c = 0; c < 8; c++) out[8 * i + c] = x[8 * i + c] - sum / 8.0f;
}

// verdict: race
kernel void rows_that_overlap(IN, OUT, WHERE)
{
    if (i >= 15) return;
    for (uint c = 0; c < 9; c++) out[8 * i + c] = x[8 * i + c] + float(i);
}

// verdict: clean
kernel void bytes(IN, device uchar *bytes [[buffer(1)]], WHERE)
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u8:128
{
    bytes[i] = uchar(x[i] > 0.0f);
}

// verdict: race
kernel void bits(IN, device uchar *bits [[buffer(1)]], WHERE)
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u8:16
{
    bits[i / 8] |= uchar(uint(x[i] > 0.0f) << i % 8);
}

// verdict: clean
kernel void bits_by_ballot(IN, device uint *bits [[buffer(1)]], WHERE)
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:u32:4
{
    ulong mask = (ulong)simd_ballot(x[i] > 0.0f);
    if (l == 0) bits[i / 32] = uint(mask);
}

// verdict: clean
kernel void device_scratch(IN, OUT, WHERE, device float *scratch [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:f32:128 --buffer 2=empty:f32:128
{
    scratch[i] = x[i];
    DEVICE_BARRIER;
    out[i] = scratch[64 * g + 63 - t];
}

// verdict: race
kernel void device_scratch_shared_by_threadgroups(IN, OUT, WHERE, device float *scratch [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:f32:128 --buffer 2=empty:f32:64
{
    scratch[t] = x[i];
    DEVICE_BARRIER;
    out[i] = scratch[63 - t];
}

// verdict: race
kernel void reads_what_another_threadgroup_wrote(IN, OUT, WHERE)
{
    if (t == 0) out[g] = x[i];
    DEVICE_BARRIER;
    if (g == 1 && t == 1) out[127] = out[0] + out[1];
}

// verdict: clean
kernel void simdgroup_through_device_memory(IN, OUT, WHERE)
{
    out[i] = x[i];
    simdgroup_barrier(mem_flags::mem_device);
    float v = out[i ^ 7];
    simdgroup_barrier(mem_flags::mem_device);
    out[i] = v;
}

// verdict: clean
kernel void both_memories(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    out[i] = -x[i];
    threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
    float sum = v[63 - t] + out[64 * g + 63 - t];
    threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
    out[i] = sum;
}

// verdict: warning race
kernel void both_memories_but_one_named(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    out[i] = -x[i];
    DEVICE_BARRIER;
    float sum = v[63 - t] + out[64 * g + 63 - t];
    DEVICE_BARRIER;
    out[i] = sum;
}

// verdict: clean
kernel void constants_are_shared(IN, OUT, WHERE, constant float4 &scale [[buffer(2)]])
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:f32:128 --bytes 2=f32:1,2,3,4
{
    out[i] = x[i] * scale[i % 4];
}
