// embedding.metal — token id + position → vector
//
//   out[b,t,c] = token_table[ids[b,t], c] + position_table[lengths[b] + t, c]
//
// One thread per element, grid (C, T, B). While decoding T is 1 and lengths[b] counts the tokens that
// the KV cache already holds. Ids and positions outside the tables (padding, or the sentinel of a
// failed sample) read the last row: the result is never used. The block formats have theirs beside
// linear_q8_0 and its siblings.
#include <metal_stdlib>
using namespace metal;

kernel void embedding_forward(
    device const uint *ids [[buffer(0)]],             // [B,T]
    device const uint *lengths [[buffer(1)]],         // [B]
    device const float *token_table [[buffer(2)]],    // [V,C]
    device const float *position_table [[buffer(3)]], // [context,C]
    device float *out [[buffer(4)]],                  // [B,T,C]
    constant uint &T [[buffer(5)]],
    constant uint &C [[buffer(6)]],
    constant uint &V [[buffer(7)]],
    constant uint &context [[buffer(8)]],
    uint3 id [[thread_position_in_grid]])
{
    uint c = id.x, t = id.y, b = id.z;
    if (c >= C || t >= T) return;
    ulong row = ulong(b) * T + t;
    ulong token = min(ids[row], V - 1);
    ulong position = min(lengths[b] + t, context - 1);
    out[row * C + c] = token_table[token * C + c] + position_table[position * C + c];
}

// The same for a token table in half precision.
kernel void embedding_forward_f16(
    device const uint *ids [[buffer(0)]],             // [B,T]
    device const uint *lengths [[buffer(1)]],         // [B]
    device const half *token_table [[buffer(2)]],     // [V,C]
    device const float *position_table [[buffer(3)]], // [context,C]
    device float *out [[buffer(4)]],                  // [B,T,C]
    constant uint &T [[buffer(5)]],
    constant uint &C [[buffer(6)]],
    constant uint &V [[buffer(7)]],
    constant uint &context [[buffer(8)]],
    uint3 id [[thread_position_in_grid]])
{
    uint c = id.x, t = id.y, b = id.z;
    if (c >= C || t >= T) return;
    ulong row = ulong(b) * T + t;
    ulong token = min(ids[row], V - 1);
    ulong position = min(lengths[b] + t, context - 1);
    out[row * C + c] = float(token_table[token * C + c]) + position_table[position * C + c];
}
