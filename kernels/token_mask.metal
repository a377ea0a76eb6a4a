// token_mask.metal — leave over the tokens that may come next: the logits of all others become −∞
//
// Which these are is the host's to say, a bit for each token: bit v % 32 of word v / 32. Grid (V, B).
#include <metal_stdlib>
using namespace metal;
#include "parts/sampling.h"

kernel void mask_tokens(
    device const RowSampling *sampling [[buffer(0)]], // [B]
    device const uint *allowed [[buffer(1)]],         // [B, ⌈V / 32⌉] of the rows that have a mask
    device float *logits [[buffer(2)]],               // [B,V]
    constant uint &B [[buffer(3)]],
    constant uint &V [[buffer(4)]],
    uint2 id [[thread_position_in_grid]])
{
    uint v = id.x, b = id.y;
    if (v >= V || b >= B || !(sampling[b].flags & MASKED)) return;
    uint words = (V + 31) / 32;
    if (!(allowed[ulong(b) * words + v / 32] >> (v % 32) & 1)) logits[ulong(b) * V + v] = -INFINITY;
}
