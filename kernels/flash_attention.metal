// flash_attention.metal — attention in one kernel, no T×S matrix (Dao et al. 2022)
//
//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h
//
// One threadgroup per query, grid (T, nh, B). Its simdgroups stride over tiles of keys. Each keeps a running maximum m,
// the sum l of exp(score − m), and the weighted sum of V so far; when a tile raises the maximum, what was summed before
// is scaled down by exp(old m − new m). At the end the simdgroups' results are merged the same way. Query t sees the
// last `window` of the keys s < lengths[b] + min(t + 1, counts[b]). nh / nkv neighbouring heads share keys and values.
// The heads' results lie side by side. The KV cache is of type KV, float or half.
#include <metal_stdlib>
using namespace metal;

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint TILE = 32;                  // keys per tile
constant constexpr uint MAX_HS = 256;               // host: largest head size
constant constexpr uint MAX_SIMDGROUPS = 16;        // that take part; more of them rest
constant constexpr uint DIMS = MAX_HS / SIMD_WIDTH; // of the sum, per lane, in registers

template <typename KV>
kernel void flash_attention(
    device const float *q [[buffer(0)]],      // [B,nh,T,hs]
    device const KV *keys [[buffer(1)]],      // [B,nkv,capacity,hs]
    device const KV *values [[buffer(2)]],    // [B,nkv,capacity,hs]
    device const uint *lengths [[buffer(3)]], // [B]
    device const uint *counts [[buffer(4)]],  // [B]
    device float *out [[buffer(5)]],          // [B,T,nh,hs]
    constant uint &hs [[buffer(6)]],          // ≤ MAX_HS
    constant uint &nkv [[buffer(7)]],
    constant uint &capacity [[buffer(8)]],
    constant uint &window [[buffer(9)]],
    constant float &scale [[buffer(10)]],
    uint3 group [[threadgroup_position_in_grid]],
    uint3 groups [[threadgroups_per_grid]],
    uint thread_index [[thread_index_in_threadgroup]],
    uint3 group_size [[threads_per_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint all_simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup float weights[MAX_SIMDGROUPS][TILE], sums[MAX_SIMDGROUPS][MAX_HS];
    threadgroup float maxima[MAX_SIMDGROUPS], totals[MAX_SIMDGROUPS];
    uint t = group.x, b = group.z, nh = groups.y, end = lengths[b] + min(t + 1, counts[b]);
    uint threads = group_size.x, simdgroups = min(all_simdgroups, MAX_SIMDGROUPS);
    ulong head = ulong(b) * nh + group.y, start = head / (nh / nkv) * capacity * hs;
    device const float *query = q + (head * groups.x + t) * hs;
    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial
    bool rests = simdgroup >= simdgroups;
    for (uint d = lane; d < hs && !rests; d += lanes) sums[simdgroup][d] = 0.0f;
    float m = -INFINITY, l = 0.0f;
    for (uint first = end - min(end, window) + simdgroup * TILE; first < end && !rests; first += simdgroups * TILE) {
        uint tile = min(TILE, end - first);
        float tile_max = -INFINITY;
        for (uint s = lane; s < tile; s += lanes) { // scores: a lane has a key
            device const KV *key = keys + start + ulong(first + s) * hs;
            float score = 0.0f;
            for (uint d = 0; d < hs; d++) score += query[d] * float(key[d]);
            weights[simdgroup][s] = score * scale;
            tile_max = max(tile_max, score * scale);
        }
        float new_m = max(m, simd_max(tile_max));
        float correction = exp(m - new_m), tile_sum = 0.0f; // the first 0 for the first tile: exp(−∞)
        for (uint s = lane; s < tile; s += lanes) { // they become weights
            float weight = exp(weights[simdgroup][s] - new_m);
            weights[simdgroup][s] = weight;
            tile_sum += weight;
        }
        l = l * correction + simd_sum(tile_sum);
        m = new_m;
        simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the writes above → the reads below
        for (uint c = lane; c < hs; c += DIMS * lanes) { // values: a lane has channels, DIMS of them in registers
            uint dims = min(DIMS, (hs - c + lanes - 1) / lanes);
            float sum[DIMS];
            for (uint i = 0; i < dims; i++) sum[i] = sums[simdgroup][c + i * lanes] * correction;
            for (uint s = 0; s < tile; s++) {
                device const KV *value = values + start + ulong(first + s) * hs + c;
                for (uint i = 0; i < dims; i++) sum[i] += weights[simdgroup][s] * float(value[i * lanes]);
            }
            for (uint i = 0; i < dims; i++) sums[simdgroup][c + i * lanes] = sum[i];
        }
        simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the reads above ↔ the next tile's writes
    }
    if (lane == 0 && !rests) {
        maxima[simdgroup] = m;
        totals[simdgroup] = l;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // maxima, totals, sums: the writes → the reads below
    float largest = -INFINITY;
    for (uint i = 0; i < simdgroups; i++) largest = max(largest, maxima[i]);
    for (uint d = thread_index; d < hs; d += threads) {
        float sum = 0.0f, total = 0.0f;
        for (uint i = 0; i < simdgroups; i++) sum += sums[i][d] * exp(maxima[i] - largest);
        for (uint i = 0; i < simdgroups; i++) total += totals[i] * exp(maxima[i] - largest);
        out[((ulong(b) * groups.x + t) * nh + group.y) * hs + d] = sum / total;
    }
}

template [[host_name("flash_attention_f32")]] kernel decltype(flash_attention<float>) flash_attention<float>;
template [[host_name("flash_attention_f16")]] kernel decltype(flash_attention<half>) flash_attention<half>;
