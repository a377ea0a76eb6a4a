// Simdgroups and quadgroups. A lane may read only from lanes that take part in the same call; what it reads is as good as
// what that lane brought.
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64
#include "corpus.h"

// verdict: clean
kernel void sum(IN, OUT, WHERE)
{
    out[i] = simd_sum(x[i]);
}

// verdict: clean
kernel void sum_of_some(IN, OUT, WHERE)
{
    if (x[i] > 0.0f) out[i] = simd_sum(x[i]);
}

// verdict: unwritten
kernel void sum_of_what_some_have_not(IN, OUT, WHERE)
{
    float v;
    if (l < 16) v = x[i];
    out[i] = simd_sum(v);
}

// verdict: unwritten
kernel void largest_of_what_some_have_not(IN, OUT, WHERE)
{
    float v;
    if (l < 31) v = x[i];
    float largest = simd_max(v);
    if (l == 0) out[i] = largest;
}

// verdict: clean
kernel void broadcast_of_what_one_has(IN, OUT, WHERE)
{
    float v;
    if (l == 3) v = x[i];
    out[i] = simd_broadcast(v, 3);
}

// verdict: unwritten
kernel void broadcast_of_what_one_has_not(IN, OUT, WHERE)
{
    float v;
    if (l == 3) v = x[i];
    out[i] = simd_broadcast(v, 4);
}

// verdict: clean
kernel void broadcast_of_the_first(IN, OUT, WHERE)
{
    float v;
    if (l == 0) v = x[i];
    out[i] = simd_broadcast_first(v);
}

// verdict: unwritten
kernel void broadcast_of_a_first_that_has_nothing(IN, OUT, WHERE)
{
    float v;
    if (l == 1) v = x[i];
    out[i] = simd_broadcast_first(v);
}

// verdict: clean
kernel void broadcast_of_the_first_active(IN, OUT, WHERE)
{
    if (l < 5) return;
    out[i] = simd_broadcast_first(x[i]);
}

// verdict: clean
kernel void shuffle_between_those_that_have_it(IN, OUT, WHERE)
{
    float v;
    if (l < 4) v = x[i];
    out[i] = simd_shuffle(v, l % 4);
}

// verdict: unwritten
kernel void shuffle_from_one_that_has_it_not(IN, OUT, WHERE)
{
    float v;
    if (l < 4) v = x[i];
    out[i] = simd_shuffle(v, l % 5);
}

// verdict: clean
kernel void shuffle_whose_result_is_not_used(IN, OUT, WHERE)
{
    float v;
    if (l < 16) v = x[i];
    float next = simd_shuffle_down(v, 1);
    if (l < 15) out[i] = next - v;
}

// verdict: unwritten
kernel void shuffle_whose_result_is_used(IN, OUT, WHERE)
{
    float v;
    if (l < 16) v = x[i];
    float next = simd_shuffle_down(v, 1);
    if (l < 16) out[i] = next - v;
}

// verdict: clean
kernel void tree_of_shuffles(IN, OUT, WHERE)
{
    float v = x[i];
    for (ushort step = 16; step > 0; step /= 2) v += simd_shuffle_down(v, step);
    if (l == 0) out[i] = v;
}

// verdict: clean
kernel void butterfly(IN, OUT, WHERE)
{
    float v = x[i];
    for (ushort step = 1; step < 32; step *= 2) v += simd_shuffle_xor(v, step);
    out[i] = v;
}

// verdict: inactive-lane
kernel void butterfly_of_48_threads(IN, OUT, WHERE)
// run: --grid 48 --threads 48 --buffer 0=random:f32:48 --buffer 1=zeros:f32:48
{
    float v = x[i];
    for (ushort step = 1; step < 32; step *= 2) v += simd_shuffle_xor(v, step);
    out[i] = v;
}

// verdict: inactive-lane
kernel void shuffle_in_a_branch(IN, OUT, WHERE)
{
    if (l < 16) out[i] = simd_shuffle(x[i], 31 - l);
}

// verdict: clean
kernel void shuffle_within_a_branch(IN, OUT, WHERE)
{
    if (l < 16) out[i] = simd_shuffle(x[i], 15 - l);
}

// verdict: inactive-lane
kernel void shuffle_after_a_return(IN, OUT, WHERE)
{
    if (i == 40) return;
    out[i] = simd_shuffle_xor(x[i], 1);
}

// verdict: inactive-lane
kernel void broadcast_from_a_lane_that_left(IN, OUT, WHERE)
{
    if (l < 8) return;
    out[i] = simd_broadcast(x[i], 0);
}

// verdict: inactive-lane
kernel void broadcast_from_beyond_the_last(IN, OUT, WHERE)
// run: --grid 40 --threads 40 --buffer 0=random:f32:40 --buffer 1=zeros:f32:40
{
    out[i] = simd_broadcast(x[i], 31);
}

// verdict: clean
kernel void lanes_meet_again(IN, OUT, WHERE)
{
    float v = x[i];
    if (v > 0.0f)
        v = 2.0f * v;
    else
        v = -v;
    out[i] = simd_shuffle_xor(v, 1);
}

// verdict: clean
kernel void rotate(IN, OUT, WHERE)
{
    out[i] = simd_shuffle_rotate_down(x[i], 3);
}

// verdict: inactive-lane
kernel void rotate_a_simdgroup_that_is_not_full(IN, OUT, WHERE)
// run: --grid 40 --threads 40 --buffer 0=random:f32:40 --buffer 1=zeros:f32:40
{
    out[i] = simd_shuffle_rotate_down(x[i], 3);
}

// verdict: clean
kernel void shuffle_up_keeps_the_first(IN, OUT, WHERE)
{
    float before = simd_shuffle_up(x[i], 1);
    out[i] = l > 0 ? x[i] - before : x[i];
}

// verdict: clean
kernel void shuffle_and_fill(IN, OUT, WHERE)
{
    out[i] = simd_shuffle_and_fill_down(x[i], 0.0f, 1);
}

// verdict: clean
kernel void running_sum(IN, OUT, WHERE)
{
    out[i] = simd_prefix_inclusive_sum(x[i]);
}

// verdict: clean
kernel void running_sum_of_the_first_lanes(IN, OUT, WHERE)
{
    float v;
    if (l < 10) v = x[i];
    float sum = simd_prefix_inclusive_sum(v);
    if (l < 10) out[i] = sum;
}

// verdict: unwritten
kernel void running_sum_one_too_far(IN, OUT, WHERE)
{
    float v;
    if (l < 10) v = x[i];
    float sum = simd_prefix_inclusive_sum(v);
    if (l < 11) out[i] = sum;
}

// verdict: clean
kernel void sum_before_the_last(IN, OUT, WHERE)
{
    float v;
    if (l < 31) v = x[i];
    out[i] = simd_prefix_exclusive_sum(v); // nobody reads the last lane's
}

// verdict: unwritten
kernel void sum_before_with_a_gap(IN, OUT, WHERE)
{
    float v;
    if (l != 5) v = x[i];
    out[i] = simd_prefix_exclusive_sum(v);
}

// verdict: clean
kernel void product_of_the_first_lanes(IN, OUT, WHERE)
{
    float v;
    if (l < 10) v = x[i];
    float product = simd_prefix_exclusive_product(v);
    if (l <= 10) out[i] = product;
}

// verdict: clean
kernel void integers_of_the_first_lanes(IN, device uint *out [[buffer(1)]], WHERE)
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:u32:64
{
    uint v;
    if (l < 10) v = i;
    uint sum = simd_prefix_inclusive_sum(v);
    if (l < 10) out[i] = sum;
}

// verdict: unwritten
kernel void integers_one_too_far(IN, device uint *out [[buffer(1)]], WHERE)
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:u32:64
{
    uint v;
    if (l < 10) v = i;
    uint sum = simd_prefix_inclusive_sum(v);
    if (l < 11) out[i] = sum;
}

// verdict: clean
kernel void vectors_that_one_has(IN, device float4 *out [[buffer(1)]], WHERE)
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:f32:256
{
    float4 v;
    if (l == 2) v = float4(x[i]);
    out[i] = simd_broadcast(v, 2);
}

// verdict: unwritten
kernel void vectors_that_one_has_not(IN, device float4 *out [[buffer(1)]], WHERE)
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:f32:256
{
    float4 v;
    if (l == 2) v = float4(x[i]);
    out[i] = simd_broadcast(v, 1);
}

// verdict: clean
kernel void votes(IN, device uint *out [[buffer(1)]], WHERE)
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:u32:64
{
    bool any = simd_any(x[i] > 2.0f), all = simd_all(x[i] > -9.0f);
    out[i] = uint((ulong)simd_ballot(x[i] > 0.0f)) + uint(any) + uint(all);
}

// verdict: unwritten
kernel void vote_without_an_opinion(IN, device uint *out [[buffer(1)]], WHERE)
// run: --grid 64 --threads 64 --buffer 0=random:f32:64 --buffer 1=zeros:u32:64
{
    bool opinion;
    if (l) opinion = x[i] > 0.0f;
    out[i] = uint(simd_any(opinion));
}

// verdict: clean
kernel void first_lane_writes(IN, OUT, WHERE)
{
    float sum = simd_sum(x[i]);
    if (simd_is_first()) out[s] = sum;
}

// verdict: clean
kernel void quad_sums(IN, OUT, WHERE)
{
    out[i] = quad_sum(x[i]);
}

// verdict: clean
kernel void quad_of_what_one_has(IN, OUT, WHERE)
{
    float v;
    if (l % 4 == 1) v = x[i];
    out[i] = quad_broadcast(v, 1);
}

// verdict: unwritten
kernel void quad_of_what_one_has_not(IN, OUT, WHERE)
{
    float v;
    if (l % 4 == 1) v = x[i];
    out[i] = quad_broadcast(v, 2);
}

// verdict: clean
kernel void quad_swap(IN, OUT, WHERE)
{
    out[i] = x[i] - quad_shuffle_xor(x[i], 1);
}

// verdict: inactive-lane
kernel void quad_swap_in_a_branch(IN, OUT, WHERE)
{
    if (l % 4 == 0) out[i] = x[i] - quad_shuffle_xor(x[i], 1);
}

// verdict: clean
kernel void quad_running_sum(IN, OUT, WHERE)
{
    float v;
    if (l % 4 < 2) v = x[i];
    float sum = quad_prefix_inclusive_sum(v);
    if (l % 4 < 2) out[i] = sum;
}

// verdict: clean
kernel void matrices(IN, OUT, WHERE)
// run: --grid 32 --threads 32 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64
{
    simdgroup_float8x8 a, b;
    simdgroup_load(a, x, 8);
    simdgroup_multiply(b, a, a);
    simdgroup_store(b, out, 8);
}

// verdict: inactive-lane
kernel void matrices_of_half_a_simdgroup(IN, OUT, WHERE)
// run: --grid 32 --threads 32 --buffer 0=random:f32:64 --buffer 1=zeros:f32:64
{
    simdgroup_float8x8 a, b;
    if (l >= 16) return;
    simdgroup_load(a, x, 8);
    simdgroup_multiply(b, a, a);
    simdgroup_store(b, out, 8);
}

// verdict: race
kernel void matrices_through_shared_memory(IN, OUT, WHERE)
{
    threadgroup float tile[64];
    simdgroup_float8x8 a;
    tile[t] = 0.0f;
    BARRIER;
    if (s == 0) {
        simdgroup_load(a, x, 8);
        simdgroup_store(a, tile, 8);
    }
    out[i] = s == 1 ? tile[t] : 0.0f;
}

// verdict: race
kernel void simd_functions_order_nothing(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = 0.0f;
    BARRIER;
    v[t] = x[i];
    float sum = simd_sum(x[i]);
    out[i] = sum + v[t ^ 1];
}

// verdict: race
kernel void quad_functions_order_nothing(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = 0.0f;
    BARRIER;
    v[t] = x[i];
    float sum = quad_sum(x[i]);
    out[i] = sum + v[t ^ 1];
}
