// embedding.metal — token id + position → vector
//
//   out[b,t,c] = scale · token_table[ids[b,t], c] + position_table[lengths[b] + t, c]
//
// One thread per element, grid (C, T, B). While decoding T is 1 and lengths[b] counts the tokens that the KV cache
// already holds. Ids and positions outside the tables (padding, or the sentinel of a failed sample) read the last row:
// the result is never used. The token table is of type Weight: float, half, ushort (bf16), or blocks of formats/.
#include <metal_stdlib>
using namespace metal;
#include "formats/all.h"
#include "formats/bf16.h"

// Weight i of a table.
static float weight_of(device const float *table, ulong i) { return as_float(table[i]); }
static float weight_of(device const half *table, ulong i) { return as_float(table[i]); }
static float weight_of(device const ushort *table, ulong i) { return as_float(table[i]); }
template <typename Block> static float weight_of(device const Block *table, ulong i)
{
    return value(table + i / Block::VALUES, uint(i % Block::VALUES));
}

template <typename Weight>
kernel void embedding_forward(
    device const uint *ids [[buffer(0)]],             // [B,T]
    device const uint *lengths [[buffer(1)]],         // [B]
    device const Weight *token_table [[buffer(2)]],   // [V,C]
    device const float *position_table [[buffer(3)]], // [context,C]
    device float *out [[buffer(4)]],                  // [B,T,C]
    constant uint &T [[buffer(5)]],
    constant uint &C [[buffer(6)]], // a multiple of a block's VALUES
    constant uint &V [[buffer(7)]],
    constant uint &context [[buffer(8)]],
    constant float &scale [[buffer(9)]],
    uint3 id [[thread_position_in_grid]])
{
    uint c = id.x, t = id.y, b = id.z;
    if (c >= C || t >= T) return;
    ulong row = ulong(b) * T + t;
    ulong token = min(ids[row], V - 1);
    ulong position = min(lengths[b] + t, context - 1);
    float weight = weight_of(token_table, token * C + c);
    out[row * C + c] = scale * weight + position_table[position * C + c];
}

template [[host_name("embedding_forward")]] kernel decltype(embedding_forward<float>) embedding_forward<float>;
template [[host_name("embedding_forward_f16")]] kernel decltype(embedding_forward<half>) embedding_forward<half>;
template [[host_name("embedding_forward_bf16")]] kernel decltype(embedding_forward<ushort>) embedding_forward<ushort>;
template [[host_name("embedding_forward_iq4_nl")]] kernel decltype(embedding_forward<block_iq4_nl>) embedding_forward<block_iq4_nl>;
template [[host_name("embedding_forward_q2_K")]] kernel decltype(embedding_forward<block_q2_K>) embedding_forward<block_q2_K>;
template [[host_name("embedding_forward_q3_K")]] kernel decltype(embedding_forward<block_q3_K>) embedding_forward<block_q3_K>;
template [[host_name("embedding_forward_q4_0")]] kernel decltype(embedding_forward<block_q4_0>) embedding_forward<block_q4_0>;
template [[host_name("embedding_forward_q4_1")]] kernel decltype(embedding_forward<block_q4_1>) embedding_forward<block_q4_1>;
template [[host_name("embedding_forward_q4_K")]] kernel decltype(embedding_forward<block_q4_K>) embedding_forward<block_q4_K>;
template [[host_name("embedding_forward_q5_0")]] kernel decltype(embedding_forward<block_q5_0>) embedding_forward<block_q5_0>;
template [[host_name("embedding_forward_q5_1")]] kernel decltype(embedding_forward<block_q5_1>) embedding_forward<block_q5_1>;
template [[host_name("embedding_forward_q5_K")]] kernel decltype(embedding_forward<block_q5_K>) embedding_forward<block_q5_K>;
template [[host_name("embedding_forward_q6_K")]] kernel decltype(embedding_forward<block_q6_K>) embedding_forward<block_q6_K>;
template [[host_name("embedding_forward_q8_0")]] kernel decltype(embedding_forward<block_q8_0>) embedding_forward<block_q8_0>;
