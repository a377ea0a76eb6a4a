// flash_attention_shared.metal — flash_attention.metal for heads of HS channels, several queries at once
//
//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h
//
// One threadgroup per tile of QUERIES queries, grid (⌈T · nh / nkv / QUERIES⌉, nkv, B): a key that is read serves all
// of them, those of the nh / nkv heads that share it as well as those of neighbouring tokens, and sums of known length
// stay in registers. Query n of a head of keys is that of token n / (nh / nkv). Otherwise as in flash_attention.metal:
// simdgroups stride over tiles of keys, keep a running maximum m, total l and weighted sum of V for each query, and are
// merged at the end. Token t of row b sees the last `window` of the keys s < lengths[b] + min(t + 1, counts[b]). The KV
// cache is of type KV, float or half.
#include <metal_stdlib>
using namespace metal;
#include "parts/pages.h"
#include "parts/simd_width.h"

constant constexpr uint QUERIES = 4;            // host: per threadgroup
constant constexpr uint TILE = 2 * PAGE;        // keys
constant constexpr uint MAX_SUMS = 512;         // of each query; more simdgroups than have room rest
constant constexpr uint DIMS = 64 / SIMD_WIDTH; // of a query's sum, per lane and at once

// Keys or values of a tile, which are in two pages: those from `begin` to before `end`.
template <typename KV> struct Tile {
    device const KV *pages[2];
    uint begin, end;
};

template <uint HS, typename KV> static device const KV *at(thread const Tile<KV> &tile, uint s)
{
    return (s < PAGE ? tile.pages[0] : tile.pages[1]) + s % PAGE * HS;
}

// scores[i][s] = q[i] · keys[s] · scale for COUNT queries and the keys of a tile; lanes split the keys.
template <uint COUNT, uint HS, typename KV>
static void score_tile(device const float *const thread *q, thread const Tile<KV> &keys, float scale, uint lane,
                       uint lanes, threadgroup float (*scores)[TILE])
{
    for (uint s = keys.begin + lane; s < keys.end; s += lanes) {
        device const KV *key = at<HS>(keys, s);
        float score[COUNT];
        for (uint i = 0; i < COUNT; i++) score[i] = 0.0f;
        for (uint d = 0; d < HS; d++)
            for (uint i = 0; i < COUNT; i++) score[i] += q[i][d] * float(key[d]);
        for (uint i = 0; i < COUNT; i++) scores[i][s] = score[i] * scale;
    }
}

// sums[i] = sums[i] · shrink[i] + Σ_s weights[i][s] · values[s]; lanes split the channels of the head.
template <uint COUNT, uint HS, typename KV>
static void mix_tile(thread const Tile<KV> &values, uint lane, uint lanes, threadgroup const float (*weights)[TILE],
                     thread const float *shrink, threadgroup float (*sums)[HS])
{
    for (uint begin = lane; begin < HS; begin += DIMS * lanes) { // once of 64, if the simdgroup is whole
        uint dims = min(DIMS, (HS - begin + lanes - 1) / lanes);
        float sum[COUNT][DIMS];
        for (uint i = 0; i < COUNT; i++)
            for (uint j = 0; j < dims; j++) sum[i][j] = sums[i][begin + j * lanes] * shrink[i];
        for (uint s = values.begin; s < values.end; s++) {
            device const KV *value = at<HS>(values, s) + begin;
            for (uint i = 0; i < COUNT; i++)
                for (uint j = 0; j < dims; j++) sum[i][j] += weights[i][s] * float(value[j * lanes]);
        }
        for (uint i = 0; i < COUNT; i++)
            for (uint j = 0; j < dims; j++) sums[i][begin + j * lanes] = sum[i][j];
    }
}

// Of `count` queries: four, or the two or three of heads that share keys, or one that is left.
template <uint HS, typename KV>
static void score_some(uint count, device const float *const thread *q, thread const Tile<KV> &keys, float scale,
                       uint lane, uint lanes, threadgroup float (*scores)[TILE])
{
    if (count == 4) score_tile<4, HS>(q, keys, scale, lane, lanes, scores);
    if (count == 3) score_tile<3, HS>(q, keys, scale, lane, lanes, scores);
    if (count == 2) score_tile<2, HS>(q, keys, scale, lane, lanes, scores);
    if (count == 1) score_tile<1, HS>(q, keys, scale, lane, lanes, scores);
}

template <uint HS, typename KV>
static void mix_some(uint count, thread const Tile<KV> &values, uint lane, uint lanes,
                     threadgroup const float (*weights)[TILE], thread const float *shrink,
                     threadgroup float (*sums)[HS])
{
    if (count == 4) mix_tile<4, HS>(values, lane, lanes, weights, shrink, sums);
    if (count == 3) mix_tile<3, HS>(values, lane, lanes, weights, shrink, sums);
    if (count == 2) mix_tile<2, HS>(values, lane, lanes, weights, shrink, sums);
    if (count == 1) mix_tile<1, HS>(values, lane, lanes, weights, shrink, sums);
}

template <uint HS, typename KV>
kernel void flash_attention_shared(
    device const float *q [[buffer(0)]],      // [B,nh,T,HS]
    device const KV *keys [[buffer(1)]],      // [page,nkv,PAGE,HS]
    device const KV *values [[buffer(2)]],    // [page,nkv,PAGE,HS]
    device const uint *pages [[buffer(3)]],   // [B,⌈capacity / PAGE⌉]
    device const uint *lengths [[buffer(4)]], // [B]
    device const uint *counts [[buffer(5)]],  // [B]
    device float *out [[buffer(6)]],          // [B,T,nh,HS]
    constant uint &T [[buffer(7)]],
    constant uint &nh [[buffer(8)]],
    constant uint &capacity [[buffer(9)]],
    constant uint &window [[buffer(10)]],
    constant float &scale [[buffer(11)]],
    uint3 group [[threadgroup_position_in_grid]],
    uint3 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint3 group_size [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint all_simdgroups [[simdgroups_per_threadgroup]])
{
    constexpr uint MAX_SIMDGROUPS = MAX_SUMS / HS, SLOTS = MAX_SIMDGROUPS * QUERIES;
    threadgroup float weights[SLOTS][TILE]; // slot: simdgroup · QUERIES + query of the tile
    threadgroup float sums[SLOTS][HS];
    threadgroup float maxima[SLOTS];
    threadgroup float totals[SLOTS];
    uint threads = group_size.x, nkv = groups.y, heads = nh / nkv, b = group.z, first_query = group.x * QUERIES;
    uint count = min(QUERIES, T * heads - first_query);
    uint simdgroups = min(all_simdgroups, MAX_SIMDGROUPS), slot = simdgroup * QUERIES;
    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial
    uint length = lengths[b], begin = 0, end = 0; // of the keys that they see
    device const float *query[QUERIES];
    ulong to[QUERIES];
    uint from[QUERIES], limit[QUERIES]; // of each
    for (uint i = 0; i < count; i++) {
        uint t = (first_query + i) / heads, head = group.y * heads + (first_query + i) % heads;
        query[i] = q + ((ulong(b) * nh + head) * T + t) * HS;
        to[i] = ((ulong(b) * T + t) * nh + head) * HS;
        end = limit[i] = length + min(t + 1, counts[b]);
        from[i] = end - min(end, window);
        if (i == 0) begin = from[0];
    }
    device const uint *row = pages_of(pages, b, capacity);

    if (simdgroup < simdgroups) {
        float m[QUERIES], l[QUERIES], shrink[QUERIES];
        for (uint i = 0; i < count; i++) {
            m[i] = -INFINITY;
            l[i] = 0.0f;
            for (uint d = lane; d < HS; d += lanes) sums[slot + i][d] = 0.0f;
        }
        for (uint first = begin / PAGE * PAGE + simdgroup * TILE; first < end; first += simdgroups * TILE) {
            uint tile = min(TILE, end - first), before = max(begin, first) - first;
            ulong left = page_start(row[first / PAGE], nkv, group.y, HS);
            ulong right = tile > PAGE ? page_start(row[first / PAGE + 1], nkv, group.y, HS) : left;
            Tile<KV> key_tile = {{keys + left, keys + right}, before, tile};
            Tile<KV> value_tile = {{values + left, values + right}, before, tile};
            score_some<HS>(count, query, key_tile, scale, lane, lanes, weights + slot);
            for (uint i = 0; i < count; i++) {
                uint last = limit[i] > first ? min(tile, limit[i] - first) : 0; // of the keys that it sees
                uint hidden = from[i] > first ? min(last, from[i] - first) : 0; // before them
                float largest = m[i], sum = 0.0f;
                for (uint s = before + lane; s < last; s += lanes) // those that this lane has scored
                    largest = max(largest, s < hidden ? -INFINITY : weights[slot + i][s]);
                largest = simd_max(largest);
                for (uint s = before + lane; s < tile; s += lanes) {
                    float weight = s >= hidden && s < last ? exp(weights[slot + i][s] - largest) : 0.0f;
                    weights[slot + i][s] = weight;
                    sum += weight;
                }
                shrink[i] = m[i] == -INFINITY ? 0.0f : exp(m[i] - largest);
                l[i] = l[i] * shrink[i] + simd_sum(sum);
                m[i] = largest;
            }
            simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the writes above → the reads below
            mix_some<HS>(count, value_tile, lane, lanes, weights + slot, shrink, sums + slot);
            simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the reads above ↔ the next writes
        }
        for (uint i = lane; i < count; i += lanes) {
            maxima[slot + i] = m[i];
            totals[slot + i] = l[i];
        }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // sums, maxima, totals: the writes → the reads below
    for (uint i = 0; i < count; i++) {
        float largest = -INFINITY, total = 0.0f;
        for (uint g = i; g < simdgroups * QUERIES; g += QUERIES) largest = max(largest, maxima[g]);
        for (uint g = i; g < simdgroups * QUERIES; g += QUERIES) total += totals[g] * exp(maxima[g] - largest);
        for (uint d = thread_index; d < HS; d += threads) {
            float sum = 0.0f;
            for (uint g = i; g < simdgroups * QUERIES; g += QUERIES)
                sum += sums[g][d] * exp(maxima[g] - largest);
            out[to[i] + d] = sum / total;
        }
    }
}

template [[host_name("flash_attention_hs64_f32")]] kernel decltype(flash_attention_shared<64, float>) flash_attention_shared<64, float>;
template [[host_name("flash_attention_hs64_f16")]] kernel decltype(flash_attention_shared<64, half>) flash_attention_shared<64, half>;
template [[host_name("flash_attention_hs128_f32")]] kernel decltype(flash_attention_shared<128, float>) flash_attention_shared<128, float>;
template [[host_name("flash_attention_hs128_f16")]] kernel decltype(flash_attention_shared<128, half>) flash_attention_shared<128, half>;
template [[host_name("flash_attention_hs256_f32")]] kernel decltype(flash_attention_shared<256, float>) flash_attention_shared<256, float>;
template [[host_name("flash_attention_hs256_f16")]] kernel decltype(flash_attention_shared<256, half>) flash_attention_shared<256, half>;
