// decode_heads.h — heads that share keys and values, where a row decodes one new token
#pragma once
#include "parts/kept.h"
#include "parts/pages.h"
#include "parts/simd_width.h"

constant constexpr float LOG2_E = 1.44269504f;
constant constexpr uint LOOKED_UP = (SIMD_WIDTH > 1 ? SIMD_WIDTH - 1 : 1) * PAGE; // tokens whose pages the lanes look up

// Their queries, the new key and value, wherever these are, and the cached ones.
template <typename New, typename KV4> struct Heads {
    New query, key, value;           // [heads,VECTORS], [VECTORS]
    device const KV4 *keys, *values; // their own of page 0
    device const uint *pages;        // `stride` vectors apart
    ulong stride;
    float scale; // of scores to the base 2
};

// Head h over the cached keys begin … end − 1, and the new one if it `is_mine`, by one lane, where a simdgroup is not whole
// or has but one. Returns the softmax's m and l, to the base 2, and leaves the weighted values in `sums`.
template <uint VECTORS, typename New, typename KV4>
static float2 run_alone(Heads<New, KV4> heads, uint h, uint begin, uint end, bool is_mine, threadgroup float4 *sums)
{
    New query = heads.query + h * VECTORS;
    float m = -FLT_MAX, l = 0.0f;
    for (uint c = 0; c < VECTORS; c++) sums[c] = float4(0.0f);
    for (uint s = begin; s < end + is_mine; s++) {
        bool is_new = s == end;
        ulong start = is_new ? 0 : token_start<VECTORS>(heads.pages, heads.stride, s);
        device const KV4 *key = heads.keys + start, *value = heads.values + start;
        float score = 0.0f;
        for (uint c = 0; c < VECTORS; c++)
            score += dot(query[c], is_new ? kept(key, heads.key[c]) : float4(key[c])) * heads.scale;
        float largest = max(m, score), weight = fast::exp2(score - largest), shrink = fast::exp2(m - largest);
        for (uint c = 0; c < VECTORS; c++)
            sums[c] = sums[c] * shrink + (is_new ? kept(value, heads.value[c]) : float4(value[c])) * weight;
        l = l * shrink + weight;
        m = largest;
    }
    return float2(m, l);
}
