// heads.metal — between the layout of the matrix products, [B,T,C], and that of attention,
// [B,nh,T,hs], where C = nh · hs and head h owns the channels h·hs … (h+1)·hs − 1.
#include <metal_stdlib>
using namespace metal;

#ifndef SIMD_WIDTH
#define SIMD_WIDTH 32
#endif
constant constexpr uint GPU_SHARE = 4; // host: tokens of a thread
constant constexpr uint SHARE = SIMD_WIDTH == 1 ? 1 : GPU_SHARE;

// Split QKV into heads, and append K and V to the KV cache behind the lengths[b] tokens it holds:
//
//   Q[b,h,t,d]                   = (qkv + bias)[b,t, h·hs + d]
//   keys[b,h,lengths[b]+t,d]     = (qkv + bias)[b,t, C + h·hs + d]      for t < counts[b]
//   values[b,h,lengths[b]+t,d]   = (qkv + bias)[b,t, 2C + h·hs + d]     for t < counts[b]
//
// A thread takes a channel of a head, a GPU's of up to SHARE tokens: their reads are on their way at once. Grid
// (hs, ⌈T / SHARE⌉, B·nh). Row b brings counts[b] ≤ T new tokens; what is behind them is padding and stays out of
// the cache. The bias is that of the matrix product which made qkv, added here to save a pass over memory. The
// cache is of type KV, float or half.
template <typename KV>
kernel void split_heads(
    device const float *qkv [[buffer(0)]],    // [B,T,3C]
    device const float *bias [[buffer(1)]],   // [3C]
    device const uint *lengths [[buffer(2)]], // [B]
    device const uint *counts [[buffer(3)]],  // [B]
    device float *q [[buffer(4)]],            // [B,nh,T,hs]
    device KV *keys [[buffer(5)]],            // [B,nh,capacity,hs]
    device KV *values [[buffer(6)]],          // [B,nh,capacity,hs]
    constant uint &T [[buffer(7)]],
    constant uint &nh [[buffer(8)]],
    constant uint &hs [[buffer(9)]],
    constant uint &capacity [[buffer(10)]],
    uint3 id [[thread_position_in_grid]])
{
    uint d = id.x, head = id.z, b = head / nh, C = nh * hs, channel = head % nh * hs;
    uint distance = (T + SHARE - 1) / SHARE, length = lengths[b];
    uint count = min(counts[b], capacity - min(length, capacity));
    if (d >= hs || id.y >= distance) return;
    for (uint i = 0; i < SHARE; i++) {
        uint t = id.y + i * distance;
        if (t >= T) break;
        ulong from = (ulong(b) * T + t) * (3 * C) + channel;
        ulong to_q = (ulong(head) * T + t) * hs, to = (ulong(head) * capacity + length + t) * hs;
        q[to_q + d] = qkv[from + d] + bias[channel + d];
        if (t >= count) continue;
        keys[to + d] = KV(qkv[from + C + d] + bias[C + channel + d]);
        values[to + d] = KV(qkv[from + 2 * C + d] + bias[2 * C + channel + d]);
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
