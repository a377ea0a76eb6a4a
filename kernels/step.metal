// step.metal — what moves from one pass to the next, kept on the device so that the host need not look
//
// Row b of the batch has lengths[b] tokens in the KV cache and brings counts[b] new ones in this pass:
// a prompt, one token while decoding, or none when it is full or unused.
#include <metal_stdlib>
using namespace metal;
#include "parts/sampling.h"

// Only the last new token of each row predicts: out[b,c] = x[b, counts[b] − 1, c]. Grid (C, B).
kernel void last_token_rows(
    device const float *x [[buffer(0)]],     // [B,T,C]
    device const uint *counts [[buffer(1)]], // [B]
    device float *out [[buffer(2)]],         // [B,C]
    constant uint &B [[buffer(3)]],
    constant uint &T [[buffer(4)]],
    constant uint &C [[buffer(5)]],
    uint2 id [[thread_position_in_grid]])
{
    uint c = id.x, b = id.y;
    if (c >= C || b >= B) return;
    ulong last = max(counts[b], 1u) - 1;
    out[ulong(b) * C + c] = x[(ulong(b) * T + last) * C + c];
}

// After sampling: the new tokens are in the cache now, and the sampled one comes next. It is also
// written to history[b, lengths[b]], and where the host collects it. One thread per row, grid B.
kernel void advance_step(
    device const uint *ids [[buffer(0)]], // [B] sampled
    device uint *lengths [[buffer(1)]],   // [B]
    device uint *counts [[buffer(2)]],    // [B]
    device uint *history [[buffer(3)]],   // [B, capacity + 1]
    device uint *drawn [[buffer(4)]],     // [B, SLOTS]
    constant uint &B [[buffer(5)]],
    constant uint &capacity [[buffer(6)]],
    uint b [[thread_position_in_grid]])
{
    if (b >= B || counts[b] == 0) return;
    uint length = lengths[b] + counts[b];
    lengths[b] = length;
    counts[b] = length < capacity ? 1 : 0;
    history[ulong(b) * (capacity + 1) + length] = ids[b];
    drawn[b * SLOTS + length % SLOTS] = ids[b];
}
