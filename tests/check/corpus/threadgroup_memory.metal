// Threadgroup memory: two threads may touch the same bytes, one of them writing, only on two sides of a barrier that
// orders threadgroup memory.
// run: --grid 128 --threads 64 --buffer 0=random:f32:128 --buffer 1=zeros:f32:128
#include "corpus.h"

// verdict: clean
kernel void own_element(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    out[i] = 2.0f * v[t];
}

// verdict: clean
kernel void neighbour(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    out[i] = v[(t + 1) % 64];
}

// verdict: race
kernel void neighbour_without_barrier(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = 0.0f;
    BARRIER;
    v[t] = x[i];
    out[i] = v[(t + 1) % 64];
}

// verdict: clean
kernel void broadcast_first(IN, OUT, WHERE)
{
    threadgroup float first;
    if (t == 0) first = x[i];
    BARRIER;
    out[i] = x[i] - first;
}

// verdict: race
kernel void broadcast_twice(IN, OUT, WHERE)
{
    threadgroup float chosen;
    float sum = 0.0f;
    for (uint k = 0; k < 2; k++) {
        if (t == 32 * k) chosen = x[i];
        BARRIER;
        sum += chosen; // the next round writes it before all have read
    }
    out[i] = sum;
}

// verdict: clean
kernel void broadcast_twice_in_order(IN, OUT, WHERE)
{
    threadgroup float chosen;
    float sum = 0.0f;
    for (uint k = 0; k < 2; k++) {
        if (t == 32 * k) chosen = x[i];
        BARRIER;
        sum += chosen;
        BARRIER;
    }
    out[i] = sum;
}

// verdict: clean
kernel void broadcast_to_two_places(IN, OUT, WHERE)
{
    threadgroup float chosen[2];
    float sum = 0.0f;
    for (uint k = 0; k < 2; k++) {
        if (t == 32 * k) chosen[k] = x[i];
        BARRIER;
        sum += chosen[k];
    }
    out[i] = sum;
}

// verdict: race
kernel void alternating_places(IN, OUT, WHERE)
{
    threadgroup float chosen[2];
    float sum = 0.0f;
    for (uint k = 0; k < 4; k++) {
        if (t == 16 * k) chosen[k % 2] = x[i];
        sum += k ? chosen[(k + 1) % 2] : 0.0f; // one barrier too early
        BARRIER;
        if (t == 16 * k + 1) chosen[k % 2] = sum;
    }
    out[i] = sum;
}

// verdict: clean
kernel void tree(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    for (uint half_way = 32; half_way > 0; half_way /= 2) {
        if (t < half_way) v[t] += v[t + half_way];
        BARRIER;
    }
    out[i] = v[0];
}

// verdict: race
kernel void tree_without_barrier(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    for (uint half_way = 32; half_way > 0; half_way /= 2)
        if (t < half_way) v[t] += v[t + half_way];
    BARRIER;
    out[i] = v[0];
}

// verdict: race
kernel void tree_that_trusts_lockstep(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    if (t < 32) v[t] += v[t + 32];
    BARRIER;
    if (t < 16) v[t] += v[t + 16];
    if (t < 8) v[t] += v[t + 8]; // a simdgroup's lanes are not promised to go in step
    BARRIER;
    out[i] = v[t % 8];
}

// verdict: clean
kernel void tree_with_simdgroup_barriers(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    SIMDGROUP_BARRIER;
    for (uint half_way = 16; half_way > 0; half_way /= 2) {
        if (l < half_way) v[t] += v[t + half_way];
        SIMDGROUP_BARRIER;
    }
    out[i] = v[32 * s];
}

// verdict: race
kernel void simdgroup_barrier_between_simdgroups(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = 0.0f;
    BARRIER;
    v[t] = x[i];
    SIMDGROUP_BARRIER;
    out[i] = v[t ^ 32];
}

// verdict: race
kernel void strided_tree_reads_too_early(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    for (uint step = 1; step < 64; step *= 2)
        if (t % (2 * step) == 0) v[t] += v[t + step];
    BARRIER;
    out[i] = v[0];
}

// verdict: race
kernel void reuse_before_all_have_read(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    float largest = v[0];
    for (uint k = 1; k < 64; k++) largest = max(largest, v[k]);
    v[t] = exp(x[i] - largest);
    BARRIER;
    out[i] = v[63 - t];
}

// verdict: clean
kernel void reuse_after_all_have_read(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    float largest = v[0];
    for (uint k = 1; k < 64; k++) largest = max(largest, v[k]);
    BARRIER;
    v[t] = exp(x[i] - largest);
    BARRIER;
    out[i] = v[63 - t];
}

// verdict: clean
kernel void transpose(IN, OUT, WHERE)
{
    threadgroup float tile[8][8];
    tile[t / 8][t % 8] = x[i];
    BARRIER;
    out[i] = tile[t % 8][t / 8];
}

// verdict: race
kernel void transpose_in_place(IN, OUT, WHERE)
{
    threadgroup float tile[8][8];
    tile[t / 8][t % 8] = x[i];
    BARRIER;
    float v = tile[t % 8][t / 8];
    tile[t / 8][t % 8] = v;
    BARRIER;
    out[i] = tile[t / 8][t % 8];
}

// verdict: clean
kernel void neighbouring_bytes(IN, OUT, WHERE)
{
    threadgroup uchar v[64];
    v[t] = uchar(t);
    BARRIER;
    out[i] = x[i] + float(v[63 - t]);
}

// verdict: clean
kernel void neighbouring_halves(IN, OUT, WHERE)
{
    threadgroup half v[64];
    v[t] = half(x[i]);
    BARRIER;
    out[i] = float(v[63 - t]);
}

// verdict: race
kernel void bits_of_one_word(IN, OUT, WHERE)
{
    threadgroup uint bits[2];
    if (l == 0) bits[s] = 0;
    BARRIER;
    if (x[i] > 0.0f) bits[s] |= 1u << l; // read, changed and written back by many
    BARRIER;
    out[i] = float(bits[s] >> l & 1);
}

struct Pair {
    float first;
    uint second;
};

// verdict: clean
kernel void members_of_one_struct(IN, OUT, WHERE)
{
    threadgroup Pair pairs[32];
    if (t < 32)
        pairs[t].first = x[i];
    else
        pairs[t - 32].second = t;
    BARRIER;
    out[i] = pairs[t % 32].first + float(pairs[t % 32].second);
}

// verdict: race
kernel void whole_struct_over_member(IN, OUT, WHERE)
{
    threadgroup Pair pairs[32];
    if (t < 32) pairs[t] = {x[i], t};
    if (t >= 32) pairs[t - 32].second = t;
    BARRIER;
    out[i] = pairs[t % 32].first + float(pairs[t % 32].second);
}

// verdict: warning race
kernel void all_write_one(IN, OUT, WHERE)
{
    threadgroup uint flag;
    flag = 1;
    BARRIER;
    out[i] = x[i] * float(flag);
}

// verdict: race
kernel void all_write_their_own(IN, OUT, WHERE)
{
    threadgroup uint last;
    last = t;
    BARRIER;
    out[i] = x[i] * float(last);
}

// verdict: race
kernel void flag_is_cleared_and_set(IN, OUT, WHERE)
{
    threadgroup uint flag;
    if (t == 0) flag = 0;
    if (t == 40) flag = 1;
    BARRIER;
    out[i] = x[i] * float(flag);
}

// verdict: clean
kernel void flag_is_cleared_then_set(IN, OUT, WHERE)
{
    threadgroup uint flag;
    if (t == 0) flag = 0;
    BARRIER;
    if (t == 40) flag = 1;
    BARRIER;
    out[i] = x[i] * float(flag);
}

// verdict: clean
kernel void halves_that_do_not_meet(IN, OUT, WHERE)
{
    threadgroup float v[128];
    if (t < 32)
        for (uint k = 0; k < 2; k++) v[2 * t + k] = x[i];
    else
        for (uint k = 0; k < 2; k++) v[2 * t + k] = -x[i];
    BARRIER;
    out[i] = v[127 - 2 * t];
}

// verdict: race
kernel void ranges_that_overlap_by_one(IN, OUT, WHERE)
{
    threadgroup float v[129];
    for (uint k = 0; k < 3; k++) v[2 * t + k] = x[i] + float(k);
    BARRIER;
    out[i] = v[2 * t];
}

static void put(threadgroup float *v, uint at, float value)
{
    v[at] = value;
}
static float get(threadgroup const float *v, uint at)
{
    return v[at];
}

// verdict: clean
kernel void helpers(IN, OUT, WHERE)
{
    threadgroup float v[64];
    put(v, t, x[i]);
    BARRIER;
    out[i] = get(v, t ^ 5);
}

// verdict: race
kernel void helpers_without_barrier(IN, OUT, WHERE)
{
    threadgroup float v[64];
    put(v, t, 1.0f);
    BARRIER;
    put(v, t, x[i]);
    out[i] = get(v, t ^ 5);
}

static void meet()
{
    threadgroup_barrier(mem_flags::mem_threadgroup);
}

// verdict: clean
kernel void barrier_in_a_helper(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    meet();
    out[i] = v[t ^ 5];
}

// verdict: race
kernel void vector_over_scalar(IN, OUT, WHERE)
{
    threadgroup float4 v[16];
    threadgroup float *scalars = (threadgroup float *)v;
    scalars[t] = x[i];
    if (t < 16) v[t] = float4(1.0f);
    BARRIER;
    out[i] = scalars[t];
}

// verdict: clean
kernel void scalars_then_vectors(IN, OUT, WHERE)
{
    threadgroup float4 v[16];
    threadgroup float *scalars = (threadgroup float *)v;
    scalars[t] = x[i];
    BARRIER;
    float4 w = v[t / 4];
    out[i] = w.x + w.y + w.z + w.w;
}

// verdict: clean
kernel void scan_with_two_buffers(IN, OUT, WHERE)
{
    threadgroup float v[2][64];
    uint from = 0;
    v[0][t] = x[i];
    BARRIER;
    for (uint step = 1; step < 64; step *= 2) {
        v[1 - from][t] = t >= step ? v[from][t] + v[from][t - step] : v[from][t];
        from = 1 - from;
        BARRIER;
    }
    out[i] = v[from][t];
}

// verdict: race
kernel void scan_with_one_buffer(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    for (uint step = 1; step < 64; step *= 2) {
        float sum = t >= step ? v[t] + v[t - step] : v[t];
        v[t] = sum;
        BARRIER;
    }
    out[i] = v[t];
}

// verdict: clean
kernel void scan_with_one_buffer_and_two_barriers(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    for (uint step = 1; step < 64; step *= 2) {
        float sum = t >= step ? v[t] + v[t - step] : v[t];
        BARRIER;
        v[t] = sum;
        BARRIER;
    }
    out[i] = v[t];
}

// verdict: clean
kernel void halo(IN, OUT, WHERE)
{
    threadgroup float v[66];
    v[t + 1] = x[i];
    if (t == 0) v[0] = i > 0 ? x[i - 1] : 0.0f;
    if (t == 63) v[65] = i < 127 ? x[i + 1] : 0.0f;
    BARRIER;
    out[i] = v[t] + v[t + 1] + v[t + 2];
}

// verdict: unwritten
kernel void halo_without_edges(IN, OUT, WHERE)
{
    threadgroup float v[66];
    v[t + 1] = x[i];
    BARRIER;
    out[i] = v[t] + v[t + 1] + v[t + 2];
}

// verdict: race
kernel void blur_in_place(IN, OUT, WHERE)
{
    threadgroup float v[64];
    v[t] = x[i];
    BARRIER;
    v[t] = 0.5f * (v[t] + v[min(t + 1, 63u)]);
    BARRIER;
    out[i] = v[t];
}

// verdict: clean
kernel void partial_sums(IN, OUT, WHERE)
{
    threadgroup float partial[2];
    float sum = simd_sum(x[i]);
    if (l == 0) partial[s] = sum;
    BARRIER;
    out[i] = partial[0] + partial[1];
}

// verdict: race
kernel void partial_sums_without_barrier(IN, OUT, WHERE)
{
    threadgroup float partial[2];
    if (l == 0) partial[s] = 0.0f;
    BARRIER;
    float sum = simd_sum(x[i]);
    if (l == 0) partial[s] = sum;
    out[i] = partial[0] + partial[1];
}

// verdict: warning race
kernel void partial_sums_by_all_lanes(IN, OUT, WHERE)
{
    threadgroup float partial[2];
    partial[s] = simd_sum(x[i]);
    BARRIER;
    out[i] = partial[0] + partial[1];
}

// verdict: race
kernel void two_sums_through_one_array(IN, OUT, WHERE)
{
    threadgroup float partial[2];
    float sum = simd_sum(x[i]);
    if (l == 0) partial[s] = sum;
    BARRIER;
    float mean = (partial[0] + partial[1]) / 64.0f;
    float squares = simd_sum((x[i] - mean) * (x[i] - mean));
    if (l == 0) partial[s] = squares; // the other simdgroup may still read the sums
    BARRIER;
    out[i] = partial[0] + partial[1];
}

// verdict: clean
kernel void two_sums_through_two_arrays(IN, OUT, WHERE)
{
    threadgroup float partial[2], squares[2];
    float sum = simd_sum(x[i]);
    if (l == 0) partial[s] = sum;
    BARRIER;
    float mean = (partial[0] + partial[1]) / 64.0f;
    sum = simd_sum((x[i] - mean) * (x[i] - mean));
    if (l == 0) squares[s] = sum;
    BARRIER;
    out[i] = squares[0] + squares[1];
}

// verdict: clean
kernel void one_thread_does_all(IN, OUT, WHERE)
{
    threadgroup float v[64];
    if (t == 0)
        for (uint k = 0; k < 64; k++) v[k] = x[64 * g + 63 - k];
    BARRIER;
    out[i] = v[t];
}

// verdict: clean
kernel void tiles_in_a_loop(IN, OUT, WHERE)
{
    threadgroup float tile[64];
    float sum = 0.0f;
    for (uint k = 0; k < 2; k++) {
        tile[t] = x[64 * k + t];
        BARRIER;
        for (uint j = 0; j < 64; j++) sum += tile[j];
        BARRIER;
    }
    out[i] = sum;
}

// verdict: race
kernel void tiles_in_a_loop_with_one_barrier(IN, OUT, WHERE)
{
    threadgroup float tile[64];
    float sum = 0.0f;
    for (uint k = 0; k < 2; k++) {
        tile[t] = x[64 * k + t];
        BARRIER;
        for (uint j = 0; j < 64; j++) sum += tile[j];
    }
    out[i] = sum;
}
