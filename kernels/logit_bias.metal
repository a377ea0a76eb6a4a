// logit_bias.metal — make tokens likelier or less likely: out[b,v] = logits[b,v] + bias[b,v]; −∞ forbids a token
//
// Out of place: what changes the logits from here on changes a copy, and the model's own stay for logprobs.metal.
// Grid (V, B).
#include <metal_stdlib>
using namespace metal;
#include "parts/sampling.h"

kernel void add_logit_bias(
    device const float *logits [[buffer(0)]],         // [B,V]
    device const RowSampling *sampling [[buffer(1)]], // [B]
    device const float *bias [[buffer(2)]],           // [B,V] of the rows that have one
    device float *out [[buffer(3)]],                  // [B,V]
    constant uint &B [[buffer(4)]],
    constant uint &V [[buffer(5)]],
    uint2 id [[thread_position_in_grid]])
{
    uint v = id.x, b = id.y;
    if (v >= V || b >= B) return;
    ulong at = ulong(b) * V + v;
    out[at] = sampling[b].flags & BIASED ? logits[at] + bias[at] : logits[at];
}
