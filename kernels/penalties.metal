// penalties.metal — make what has just been said less likely
//
//   n = how often token v is among the last `window` tokens of the row, the prompt's too; for n > 0
//   logits[v] is divided by `repetition` if it is positive, else multiplied by it   (Keskar et al. 2019)
//   logits[v] −= presence + n · frequency
//
// as llama.cpp does. One thread per place in a window, grid (the longest, B): the thread of a token's last occurrence
// counts the others and changes its logit, so no two threads change the same.
#include <metal_stdlib>
using namespace metal;
#include "parts/sampling.h"

kernel void penalise_repeats(
    device const uint *history [[buffer(0)]],         // [B, capacity + 1] the tokens of each row, at their positions
    device const RowSampling *sampling [[buffer(1)]], // [B]
    device const uint *lengths [[buffer(2)]],         // [B] tokens in the KV cache before this pass
    device const uint *counts [[buffer(3)]],          // [B] tokens of this pass
    device float *logits [[buffer(4)]],               // [B,V]
    constant uint &B [[buffer(5)]],
    constant uint &V [[buffer(6)]],
    constant uint &capacity [[buffer(7)]],
    uint2 id [[thread_position_in_grid]])
{
    uint b = id.y;
    if (b >= B) return;
    device const RowSampling &wanted = sampling[b];
    uint length = lengths[b] + counts[b], seen = min(length, wanted.window);
    if (id.x >= seen) return;
    device const uint *last = history + ulong(b) * (capacity + 1) + (length - seen); // the window
    uint place = id.x, token = last[place], n = 0, later = 0;
    for (uint i = 0; i < seen; i++) {
        n += uint(last[i] == token);
        later += uint(i > place && last[i] == token);
    }
    if (later || token >= V) return; // not below V: the sentinel of a failed sample
    device float *logit = logits + ulong(b) * V + token;
    float value = *logit > 0.0f ? *logit / wanted.repetition : *logit * wanted.repetition;
    *logit = value - (wanted.presence + float(n) * wanted.frequency);
}
