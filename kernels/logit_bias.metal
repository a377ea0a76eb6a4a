// logit_bias.metal — make tokens likelier or less likely: out[b,v] = logits[b,v] + bias[v]; −∞ forbids a token
//
// Out of place: what changes the logits from here on changes a copy, and the model's own stay for logprobs.metal.
// Grid (V, B).
#include <metal_stdlib>
using namespace metal;

kernel void add_logit_bias(
    device const float *logits [[buffer(0)]], // [B,V]
    device const float *bias [[buffer(1)]],   // [V]
    device float *out [[buffer(2)]],          // [B,V]
    constant uint &B [[buffer(3)]],
    constant uint &V [[buffer(4)]],
    uint2 id [[thread_position_in_grid]])
{
    uint v = id.x, b = id.y;
    if (v >= V || b >= B) return;
    out[ulong(b) * V + v] = logits[ulong(b) * V + v] + bias[v];
}
