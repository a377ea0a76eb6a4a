// token_mask.metal — leave over the tokens that may come next: the logits of all others become −∞
//
// Which these are is the host's to say, a bit for each token: bit v % 32 of word v / 32. Grid (V, B).
#include <metal_stdlib>
using namespace metal;

kernel void mask_tokens(
    device const uint *allowed [[buffer(0)]], // [B, ⌈V / 32⌉]
    device float *logits [[buffer(1)]],       // [B,V]
    constant uint &B [[buffer(2)]],
    constant uint &V [[buffer(3)]],
    uint2 id [[thread_position_in_grid]])
{
    uint v = id.x, b = id.y;
    if (v >= V || b >= B) return;
    uint words = (V + 31) / 32;
    if (!(allowed[ulong(b) * words + v / 32] >> (v % 32) & 1)) logits[ulong(b) * V + v] = -INFINITY;
}
