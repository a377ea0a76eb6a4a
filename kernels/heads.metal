// heads.metal — between the layout of the matrix products, [B,T,C], and that of attention,
// [B,nh,T,hs], where C = nh · hs and head h owns the channels h·hs … (h+1)·hs − 1.
#include <metal_stdlib>
using namespace metal;

// As a cache of halves has it, what no half holds is NaN. An infinite key could make a score −∞, as a mask does, and
// nobody would see that something is missing.
static void keep(device float *to, float x) { *to = x; }
static void keep(device half *to, float x) { *to = isinf(half(x)) ? half(NAN) : half(x); }

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint GPU_SHARE = 4; // host: tokens of a thread
constant constexpr uint SHARE = SIMD_WIDTH == 1 ? 1 : GPU_SHARE;
constant constexpr uint PAGE = 32; // tokens of a page of the KV cache

// Split QKV into heads, and append K and V to the KV cache after the lengths[b] tokens it holds:
//
//   Q[b,h,t,d]                   = qkv[b,t, h·hs + d] + q_bias[h·hs + d]
//   keys[b,h,lengths[b]+t,d]     = qkv[b,t, (nh + h)·hs + d] + k_bias[h·hs + d]          for t < counts[b]
//   values[b,h,lengths[b]+t,d]   = qkv[b,t, (nh + nkv + h)·hs + d] + v_bias[h·hs + d]    for t < counts[b]
//
// with nh heads of Q and nkv of K and V, as many or a divisor. A thread takes a channel of a head, a GPU's of up to
// SHARE tokens: their reads are on their way at once. Grid (hs, ⌈T / SHARE⌉, B·nh). Row b brings counts[b] ≤ T new
// tokens; what is after them is padding and stays out of the cache. The biases are those of the matrix products
// which made qkv, added here to save a pass over memory. The cache is of type KV, float or half, and in pages, as
// pages.metal has it: token s of row b, keys[b,:,s,:] above, is token s % PAGE of page pages[b, s / PAGE].
template <typename KV>
kernel void split_heads(
    device const float *qkv [[buffer(0)]],    // [B,T,(nh + 2 nkv)·hs]
    device const float *q_bias [[buffer(1)]], // [nh·hs]
    device const float *k_bias [[buffer(2)]], // [nkv·hs]
    device const float *v_bias [[buffer(3)]], // [nkv·hs]
    device const uint *lengths [[buffer(4)]], // [B]
    device const uint *counts [[buffer(5)]],  // [B]
    device float *q [[buffer(6)]],            // [B,nh,T,hs]
    device KV *keys [[buffer(7)]],            // [page,nkv,PAGE,hs]
    device KV *values [[buffer(8)]],          // [page,nkv,PAGE,hs]
    device const uint *pages [[buffer(9)]],   // [B,⌈capacity / PAGE⌉]
    constant uint &T [[buffer(10)]],
    constant uint &nh [[buffer(11)]],
    constant uint &nkv [[buffer(12)]],
    constant uint &hs [[buffer(13)]],
    constant uint &capacity [[buffer(14)]], // tokens of a row, at most
    uint3 id [[thread_position_in_grid]])
{
    uint d = id.x, b = id.z / nh, head = id.z % nh, channel = head * hs, N = (nh + 2 * nkv) * hs;
    uint distance = (T + SHARE - 1) / SHARE, length = lengths[b];
    uint count = min(counts[b], capacity - min(length, capacity));
    if (d >= hs || id.y >= distance) return;
    for (uint i = 0; i < SHARE; i++) {
        uint t = id.y + i * distance;
        if (t >= T) break;
        ulong from = (ulong(b) * T + t) * N + channel;
        q[(ulong(id.z) * T + t) * hs + d] = qkv[from + d] + q_bias[channel + d];
        if (t >= count || head >= nkv) continue;
        uint s = length + t;
        ulong page = pages[ulong(b) * ((capacity + PAGE - 1) / PAGE) + s / PAGE];
        ulong to = ((page * nkv + head) * PAGE + s % PAGE) * hs;
        keep(keys + to + d, qkv[from + nh * hs + d] + k_bias[channel + d]);
        keep(values + to + d, qkv[from + (nh + nkv) * hs + d] + v_bias[channel + d]);
    }
}

template [[host_name("split_heads_f32")]] kernel decltype(split_heads<float>) split_heads<float>;
template [[host_name("split_heads_f16")]] kernel decltype(split_heads<half>) split_heads<half>;

// Join the heads again: out[b,t, h·hs + d] = in[b,h,t,d]. One thread per element, grid (hs, T, B·nh).
kernel void merge_heads(
    device const float *in [[buffer(0)]], // [B,nh,T,hs]
    device float *out [[buffer(1)]],      // [B,T,C]
    constant uint &T [[buffer(2)]],
    constant uint &nh [[buffer(3)]],
    constant uint &hs [[buffer(4)]],
    uint3 id [[thread_position_in_grid]])
{
    uint d = id.x, t = id.y, head = id.z, b = head / nh, C = nh * hs;
    if (d >= hs || t >= T) return;
    out[(ulong(b) * T + t) * C + head % nh * hs + d] = in[(ulong(head) * T + t) * hs + d];
}
