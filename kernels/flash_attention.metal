// flash_attention.metal — attention in one kernel, no T×S matrix (Dao et al. 2022)
//
//   out[t] = Σ_s softmax(Q[t] · K · scale)[s] · V[s]      for every row b of the batch and head h
//
// One threadgroup per query, grid (T, nh, B). Its simdgroups stride over pages of keys. Each keeps a running maximum m,
// the sum l of exp(score − m), and the weighted sum of V so far; when a page raises the maximum, what was summed before
// is scaled down by exp(old m − new m). At the end the simdgroups' results are merged the same way. Query t sees the
// last `window` of the keys s < lengths[b] + min(t + 1, counts[b]). nh / nkv neighbouring heads share keys and values.
// The heads' results lie side by side. The KV cache is of type KV, float or half, in pages, see pages.metal.
#include <metal_stdlib>
using namespace metal;

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint PAGE = 32;                  // tokens of a page of the KV cache
constant constexpr uint MAX_HS = 256;               // host: largest head size
constant constexpr uint MAX_SIMDGROUPS = 16;        // that take part; more of them rest
constant constexpr uint DIMS = MAX_HS / SIMD_WIDTH; // of the sum, per lane, in registers

template <typename KV>
kernel void flash_attention(
    device const float *q [[buffer(0)]],      // [B,nh,T,hs]
    device const KV *keys [[buffer(1)]],      // [page,nkv,PAGE,hs]
    device const KV *values [[buffer(2)]],    // [page,nkv,PAGE,hs]
    device const uint *pages [[buffer(3)]],   // [B,⌈capacity / PAGE⌉]
    device const uint *lengths [[buffer(4)]], // [B]
    device const uint *counts [[buffer(5)]],  // [B]
    device float *out [[buffer(6)]],          // [B,T,nh,hs]
    constant uint &hs [[buffer(7)]],          // ≤ MAX_HS
    constant uint &nkv [[buffer(8)]],
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
    threadgroup float weights[MAX_SIMDGROUPS][PAGE], weighted[MAX_SIMDGROUPS][MAX_HS]; // weighted sums of V
    threadgroup float maxima[MAX_SIMDGROUPS], totals[MAX_SIMDGROUPS];
    uint t = group.x, b = group.z, nh = groups.y, end = lengths[b] + min(t + 1, counts[b]);
    uint begin = end - min(end, window), kv_head = group.y / (nh / nkv);
    uint threads = group_size.x, simdgroups = min(all_simdgroups, MAX_SIMDGROUPS);
    device const float *query = q + ((ulong(b) * nh + group.y) * groups.x + t) * hs;
    device const uint *table = pages + ulong(b) * ((capacity + PAGE - 1) / PAGE);
    uint lanes = min(uint(SIMD_WIDTH), threads - simdgroup * SIMD_WIDTH); // the last one may be partial
    bool rests = simdgroup >= simdgroups;
    for (uint d = lane; d < hs && !rests; d += lanes) weighted[simdgroup][d] = 0.0f;
    float m = -INFINITY, l = 0.0f;
    for (uint page = begin / PAGE + simdgroup; page * PAGE < end && !rests; page += simdgroups) {
        uint first = max(begin, page * PAGE), seen = min(PAGE - first % PAGE, end - first); // keys of the page
        ulong start = ((ulong(table[page]) * nkv + kv_head) * PAGE + first % PAGE) * hs;
        float page_max = -INFINITY;
        for (uint s = lane; s < seen; s += lanes) { // scores: a lane has a key
            device const KV *key = keys + start + ulong(s) * hs;
            float score = 0.0f;
            for (uint d = 0; d < hs; d++) score += query[d] * float(key[d]);
            weights[simdgroup][s] = score * scale;
            page_max = max(page_max, score * scale);
        }
        float new_m = max(m, simd_max(page_max)), correction = exp(m - new_m), page_sum = 0.0f; // exp(−∞) = 0
        for (uint s = lane; s < seen; s += lanes) { // they become weights
            weights[simdgroup][s] = exp(weights[simdgroup][s] - new_m);
            page_sum += weights[simdgroup][s];
        }
        l = l * correction + simd_sum(page_sum);
        m = new_m;
        simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the writes above → the reads below
        for (uint c = lane; c < hs; c += DIMS * lanes) { // values: a lane has channels, DIMS of them in registers
            uint dims = min(DIMS, (hs - c + lanes - 1) / lanes);
            float sum[DIMS];
            for (uint i = 0; i < dims; i++) sum[i] = weighted[simdgroup][c + i * lanes] * correction;
            device const KV *value = values + start + c;
            for (uint s = 0; s < seen; s++)
                for (uint i = 0; i < dims; i++) sum[i] += weights[simdgroup][s] * float(value[ulong(s) * hs + i * lanes]);
            for (uint i = 0; i < dims; i++) weighted[simdgroup][c + i * lanes] = sum[i];
        }
        simdgroup_barrier(mem_flags::mem_threadgroup); // weights: the reads above ↔ the next page's writes
    }
    if (lane == 0 && !rests) {
        maxima[simdgroup] = m;
        totals[simdgroup] = l;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup); // maxima, totals, weighted: the writes → the reads below
    float largest = -INFINITY;
    for (uint i = 0; i < simdgroups; i++) largest = max(largest, maxima[i]);
    for (uint d = thread_index; d < hs; d += threads) {
        float sum = 0.0f, total = 0.0f;
        for (uint i = 0; i < simdgroups; i++) sum += weighted[i][d] * exp(maxima[i] - largest);
        for (uint i = 0; i < simdgroups; i++) total += totals[i] * exp(maxima[i] - largest);
        out[((ulong(b) * groups.x + t) * nh + group.y) * hs + d] = sum / total;
    }
}

template [[host_name("flash_attention_f32")]] kernel decltype(flash_attention<float>) flash_attention<float>;
template [[host_name("flash_attention_f16")]] kernel decltype(flash_attention<half>) flash_attention<half>;
