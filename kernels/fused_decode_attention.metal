// fused_decode_attention.metal — one new token per row: its key and value into the cache, and its attention
//
//   keys[b,h,length] = K,  values[b,h,length] = V       where the token's Q, K and V lie in qkv[b]
//   out[b,h] = Σ_s softmax(Q · keys[b,h] · scale)[s] · values[b,h,s]      for s ≤ length = lengths[b]
//
// split_heads (heads.metal) and flash_attention_hs64.metal in one kernel, for decoding with heads of 64
// channels. One threadgroup per head and row, grid (nh, B): its simdgroups share out the keys, and SHARE
// lanes together take one key at a time, a running softmax for each such team (a maximum m, the sum l of
// exp(score − m), and the weighted sum of V). The teams are merged at the end.
#include <metal_stdlib>
using namespace metal;

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint VECTORS = 16; // of four channels, per head
constant constexpr uint SHARE = SIMD_WIDTH < 8 ? SIMD_WIDTH : 8;
constant constexpr uint MAX_SIMDGROUPS = 32;

template <uint PARTS> struct Running {
    float m, l;
    float4 sum[PARTS]; // of the channels that the lane owns
};

// Both as if they had run through their keys one after the other.
template <uint PARTS> static void merge(thread Running<PARTS> &a, Running<PARTS> b)
{
    float m = max(a.m, b.m);
    float left = a.m == -INFINITY ? 0.0f : exp(a.m - m), right = b.m == -INFINITY ? 0.0f : exp(b.m - m);
    a.l = a.l * left + b.l * right;
    for (uint i = 0; i < PARTS; i++) a.sum[i] = a.sum[i] * left + b.sum[i] * right;
    a.m = m;
}

// Where a head's query, the new key and value, and the cached ones are.
struct Head {
    device const float4 *query, *key, *value; // [16]
    device const float4 *keys, *values;       // [length,16]
    uint length;
    float scale;
};

// The keys begin … end − 1 by `teams` teams of WIDTH lanes each; this is a lane of one of them.
template <uint WIDTH>
static Running<VECTORS / WIDTH> run_through(Head head, uint begin, uint end, uint team, uint teams, uint lane)
{
    constexpr uint PARTS = VECTORS / WIDTH;
    Running<PARTS> running;
    running.m = -INFINITY;
    running.l = 0.0f;
    float4 query[PARTS];
    for (uint i = 0; i < PARTS; i++) {
        query[i] = head.query[lane + i * WIDTH] * head.scale;
        running.sum[i] = 0.0f;
    }
    for (uint first = begin; first < end; first += teams) { // as often for every team: they shuffle together
        uint s = min(first + team, end - 1);
        ulong start = ulong(s) * VECTORS + lane;
        Running<PARTS> one; // this key alone
        one.m = 0.0f;
        one.l = 1.0f;
        for (uint i = 0; i < PARTS; i++) {
            one.m += dot(query[i], s < head.length ? head.keys[start + i * WIDTH] : head.key[lane + i * WIDTH]);
            one.sum[i] = s < head.length ? head.values[start + i * WIDTH] : head.value[lane + i * WIDTH];
        }
        for (uint distance = 1; distance < WIDTH; distance *= 2)
            one.m += simd_shuffle_xor(one.m, ushort(distance));
        if (first + team < end) merge(running, one);
    }
    return running;
}

// The same of the lane that is `distance` away.
template <uint PARTS> static Running<PARTS> other(Running<PARTS> running, ushort distance)
{
    running.m = simd_shuffle_xor(running.m, distance);
    running.l = simd_shuffle_xor(running.l, distance);
    for (uint i = 0; i < PARTS; i++)
        for (uint j = 0; j < 4; j++) running.sum[i][j] = simd_shuffle_xor(running.sum[i][j], distance);
    return running;
}

kernel void decode_attention_hs64(
    device const float4 *qkv [[buffer(0)]],   // [B,3,nh,16]
    device const uint *lengths [[buffer(1)]], // [B]
    device const uint *counts [[buffer(2)]],  // [B] 1, or 0 for a row that is done
    device float4 *keys [[buffer(3)]],        // [B,nh,capacity,16]
    device float4 *values [[buffer(4)]],      // [B,nh,capacity,16]
    device float4 *out [[buffer(5)]],         // [B,nh,16]
    constant uint &capacity [[buffer(6)]],
    constant float &scale [[buffer(7)]],
    uint2 group [[threadgroup_position_in_grid]],
    uint2 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint2 group_size [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint all_simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float4 sums[MAX_SIMDGROUPS][VECTORS];
    threadgroup float maxima[MAX_SIMDGROUPS];
    threadgroup float totals[MAX_SIMDGROUPS];
    uint threads = group_size.x, b = group.y, nh = groups.x, length = lengths[b];
    uint end = length + min(counts[b], 1u), simdgroups = min(all_simdgroups, MAX_SIMDGROUPS);
    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial
    ulong start = (ulong(b) * nh + group.x) * capacity * VECTORS;
    device const float4 *query = qkv + (ulong(b) * 3 * nh + group.x) * VECTORS;
    device const float4 *key = query + nh * VECTORS, *value = key + nh * VECTORS;
    if (length < min(end, capacity))
        for (uint c = thread_index; c < VECTORS; c += threads) {
            keys[start + ulong(length) * VECTORS + c] = key[c];
            values[start + ulong(length) * VECTORS + c] = value[c];
        }

    Head head = {query, key, value, keys + start, values + start, length, scale};
    uint share = (end + simdgroups - 1) / simdgroups;
    uint first = min(end, simdgroup * share), last = min(end, first + share);
    if (simdgroup < simdgroups && lanes == SIMD_WIDTH) {
        Running<VECTORS / SHARE> running =
            run_through<SHARE>(head, first, last, lane / SHARE, SIMD_WIDTH / SHARE, lane % SHARE);
        for (uint distance = SHARE; distance < SIMD_WIDTH; distance *= 2)
            merge(running, other(running, ushort(distance)));
        if (lane == 0) maxima[simdgroup] = running.m, totals[simdgroup] = running.l;
        for (uint i = 0; i < VECTORS / SHARE && lane < SHARE; i++)
            sums[simdgroup][lane + i * SHARE] = running.sum[i];
    } else if (simdgroup < simdgroups && lane == 0) { // a partial simdgroup makes no teams
        Running<VECTORS> running = run_through<1>(head, first, last, 0, 1, 0);
        maxima[simdgroup] = running.m, totals[simdgroup] = running.l;
        for (uint i = 0; i < VECTORS; i++) sums[simdgroup][i] = running.sum[i];
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // sums, maxima, totals: the writes → the reads below
    float largest = -INFINITY, total = 0.0f;
    for (uint i = 0; i < simdgroups; i++) largest = max(largest, maxima[i]);
    for (uint i = 0; i < simdgroups; i++)
        total += maxima[i] == -INFINITY ? 0.0f : totals[i] * exp(maxima[i] - largest);
    for (uint c = thread_index; c < VECTORS; c += threads) {
        float4 sum = 0.0f;
        for (uint i = 0; i < simdgroups; i++)
            if (maxima[i] != -INFINITY) sum += sums[i][c] * exp(maxima[i] - largest);
        out[(ulong(b) * nh + group.x) * VECTORS + c] = sum / total;
    }
}
