// What is read must have been written, what is touched must be there, where its type may lie, and not be const.
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64
#include "corpus.h"

// verdict: clean
kernel void written_in_all_branches(IN, OUT, WHERE)
{
    float v;
    if (x[i] > 0.0f)
        v = 1.0f;
    else
        v = -1.0f;
    out[i] = v;
}

// verdict: unwritten
kernel void written_in_one_branch(IN, OUT, WHERE)
{
    float v;
    if (x[i] > 0.0f) v = 1.0f;
    out[i] = v;
}

// verdict: clean
kernel void read_only_where_written(IN, OUT, WHERE)
{
    float v;
    if (t < 8) v = x[i];
    if (t < 8) out[i] = v;
}

// verdict: unwritten
kernel void sum_that_starts_nowhere(IN, OUT, WHERE)
{
    float sum;
    for (uint k = 0; k < 4; k++) sum += x[(i + k) % 64];
    out[i] = sum;
}

// verdict: unwritten
kernel void array_with_a_gap(IN, OUT, WHERE)
{
    float v[4];
    for (uint k = 0; k < 3; k++) v[k] = x[i];
    out[i] = v[0] + v[t % 4];
}

// verdict: clean
kernel void array_read_as_far_as_written(IN, OUT, WHERE)
{
    float v[4];
    for (uint k = 0; k < 3; k++) v[k] = x[i];
    out[i] = v[0] + v[t % 3];
}

struct Padded {
    char c;
    float f;
};

// verdict: clean
kernel void copy_with_padding(IN, OUT, WHERE)
{
    Padded p;
    p.c = 1;
    p.f = x[i];
    Padded q = p;
    out[i] = q.f;
}

// verdict: clean
kernel void copy_of_a_part(IN, OUT, WHERE)
{
    Padded p;
    p.f = x[i];
    Padded q = p;
    out[i] = q.f;
}

// verdict: unwritten
kernel void copy_then_the_other_part(IN, OUT, WHERE)
{
    Padded p;
    p.f = x[i];
    Padded q = p;
    out[i] = q.f + float(q.c);
}

// verdict: unwritten
kernel void component_that_is_missing(IN, OUT, WHERE)
{
    float4 v;
    v.xyz = float3(x[i]);
    out[i] = v.w;
}

// verdict: clean
kernel void components_that_are_there(IN, OUT, WHERE)
{
    float4 v;
    v.xyz = float3(x[i]);
    out[i] = v.x + v.z;
}

// verdict: unwritten
kernel void empty_buffer(IN, OUT, WHERE, device const float *scratch [[buffer(2)]])
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64 --buffer 2=empty:f32:64
{
    out[i] = scratch[i];
}

// verdict: unwritten
kernel void threadgroup_memory_of_the_group_before(IN, OUT, WHERE)
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:f32:128
{
    threadgroup float v[64];
    if (g == 0) v[t] = x[i];
    BARRIER;
    out[i] = v[t];
}

// verdict: out-of-bounds
kernel void one_too_far(IN, OUT, WHERE)
{
    out[i] = x[i + 1];
}

// verdict: out-of-bounds
kernel void one_before(IN, OUT, WHERE)
{
    out[i] = x[i - 1];
}

// verdict: clean
kernel void clamped(IN, OUT, WHERE)
{
    out[i] = x[min(i + 1, 63u)] + x[max(i, 1u) - 1];
}

// verdict: out-of-bounds
kernel void no_guard(IN, OUT, WHERE)
// run: --grid 100 --threads 32 --buffer 0=random:f32:90 --buffer 1=zeros:f32:100
{
    out[i] = x[i];
}

// verdict: clean
kernel void guard(IN, OUT, WHERE)
// run: --grid 100 --threads 32 --buffer 0=random:f32:90 --buffer 1=zeros:f32:100
{
    if (i < 90) out[i] = x[i];
}

// verdict: out-of-bounds
kernel void threadgroup_array(IN, OUT, WHERE)
{
    threadgroup float v[63];
    v[t] = x[i];
    BARRIER;
    out[i] = v[t];
}

// verdict: out-of-bounds
kernel void inner_dimension(IN, OUT, WHERE)
{
    threadgroup float v[8][8];
    v[t / 8][t % 8] = x[i];
    BARRIER;
    out[i] = v[t / 8 ? 0 : 1][8 + 0 * t];
}

// verdict: out-of-bounds
kernel void private_array(IN, OUT, WHERE)
{
    float v[4] = {0.0f, 1.0f, 2.0f, 3.0f};
    out[i] = x[i] + v[t % 5];
}

// verdict: out-of-bounds
kernel void vector_across_the_end(IN, OUT, WHERE)
// run: --grid 17 --threads 17 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64
{
    float4 v = ((device const float4 *)x)[i];
    out[i] = v.x + v.w;
}

// verdict: misaligned
kernel void rows_of_five(IN, OUT, WHERE)
// run: --grid 12 --threads 12 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64
{
    device const float4 *row = (device const float4 *)(x + 5 * i);
    out[i] = row[0].x + row[0].w;
}

// verdict: misaligned
kernel void whole_vector_of_a_row_of_five(IN, OUT, WHERE)
// run: --grid 12 --threads 12 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64
{
    float4 v = *(device const float4 *)(x + 5 * i);
    out[i] = v.x + v.w;
}

// verdict: misaligned
kernel void whole_vector_is_stored(IN, OUT, WHERE)
// run: --grid 12 --threads 12 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64
{
    *(device float4 *)(out + 5 * i) = float4(x[i]);
}

// verdict: clean
kernel void packed_vectors_may_lie_anywhere(IN, OUT, WHERE)
// run: --grid 12 --threads 12 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64
{
    float3 v = *(device const packed_float3 *)(x + 5 * i);
    out[i] = v.x + v.z;
}

// verdict: misaligned
kernel void vector_in_threadgroup_memory(IN, OUT, WHERE)
{
    threadgroup float v[68];
    v[t] = x[i];
    if (t < 4) v[64 + t] = 0.0f;
    BARRIER;
    out[i] = (*(threadgroup float2 *)(v + t)).x;
}

// verdict: const
kernel void cast_away(IN, OUT, WHERE)
{
    ((device float *)x)[i] = 1.0f;
    out[i] = 1.0f;
}

// verdict: warning never-written
kernel void every_other(IN, OUT, WHERE)
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:64
{
    if (i % 2 == 0) out[i] = x[i];
}

// verdict: clean
kernel void every_one(IN, OUT, WHERE)
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=empty:f32:64
{
    out[63 - i] = x[i];
}

// verdict: shift
kernel void shift_by_the_width(IN, device uint *out [[buffer(1)]], WHERE)
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:u32:64
{
    out[i] = 1u << i; // from 32 on
}

// verdict: clean
kernel void shift_below_the_width(IN, device uint *out [[buffer(1)]], WHERE)
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:u32:64
{
    out[i] = 1u << i % 32 | 0x80000000u >> l;
}

// verdict: shift
kernel void shift_of_a_vector(IN, device uint2 *out [[buffer(1)]], WHERE)
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:u32:128
{
    out[i] = uint2(i) >> uint2(i, 1);
}

// verdict: fault
kernel void divides_by_zero(IN, device uint *out [[buffer(1)]], WHERE)
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:u32:64
{
    out[i] = 100 / i;
}

// verdict: clean
kernel void divides_a_float_by_zero(IN, OUT, WHERE)
{
    out[i] = x[i] / float(i) > 0.0f ? 1.0f : 0.0f;
}
