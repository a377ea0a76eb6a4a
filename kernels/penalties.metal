// penalties.metal — make what has just been said less likely
//
//   n = how often token v is among the last `window` tokens of the row, the prompt's too; for n > 0
//   logits[v] is divided by `repetition` if it is positive, else multiplied by it   (Keskar et al. 2019)
//   logits[v] −= presence + n · frequency
//
// as llama.cpp does. One thread per place in the window, grid (window, B): the thread of a token's last occurrence counts
// the others and changes its logit, so no two threads change the same.
#include <metal_stdlib>
using namespace metal;

kernel void penalise_repeats(
    device const uint *history [[buffer(0)]], // [B, capacity + 1] the tokens of each row, at their positions
    device const uint *lengths [[buffer(1)]], // [B] tokens in the KV cache before this pass
    device const uint *counts [[buffer(2)]],  // [B] tokens of this pass
    device float *logits [[buffer(3)]],       // [B,V]
    constant uint &B [[buffer(4)]],
    constant uint &V [[buffer(5)]],
    constant uint &capacity [[buffer(6)]],
    constant uint &window [[buffer(7)]],
    constant float &repetition [[buffer(8)]], // > 0
    constant float &presence [[buffer(9)]],
    constant float &frequency [[buffer(10)]],
    uint2 id [[thread_position_in_grid]])
{
    uint b = id.y;
    if (b >= B) return;
    uint length = lengths[b] + counts[b], seen = min(length, window);
    if (id.x >= seen) return;
    device const uint *last = history + ulong(b) * (capacity + 1) + (length - seen); // the window
    uint place = id.x, token = last[place], n = 0, later = 0;
    for (uint i = 0; i < seen; i++) {
        n += uint(last[i] == token);
        later += uint(i > place && last[i] == token);
    }
    if (later || token >= V) return; // not below V: the sentinel of a failed sample
    device float *logit = logits + ulong(b) * V + token;
    float value = *logit > 0.0f ? *logit / repetition : *logit * repetition;
    *logit = value - (presence + float(n) * frequency);
}
