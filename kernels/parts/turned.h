// turned.h — a new head of Q or K as attention takes it: normalised and turned, as head_norm.metal and rope.metal do it
#pragma once
#include "parts/cos_sin.h"

// What is done to heads at a position.
struct Turning {
    bool norms, halves;              // halves: pair p is channels (p, p + pairs), else (2p, 2p + 1)
    uint pairs;                      // that are turned
    device const float *frequencies; // [pairs]
    float position, magnitude, epsilon;
};

// By one simdgroup, of which each lane takes pairs of the HS channels.
template <uint HS>
static void turn_head(Turning turning, device const float4 *head, device const float *weight, threadgroup float4 *to,
                      uint lane, uint lanes)
{
    device const float *x = (device const float *)head;
    threadgroup float *out = (threadgroup float *)to;
    float shrink = 1.0f, squares = 0.0f;
    if (turning.norms) {
        for (uint d = lane; d < HS; d += lanes) squares += x[d] * x[d];
        shrink = 1.0f / sqrt(simd_sum(squares) / float(HS) + turning.epsilon);
    }
    for (uint p = lane; p < HS / 2; p += lanes) {
        bool turns = p < turning.pairs, apart = turns && turning.halves;
        uint first = apart ? p : 2 * p, second = apart ? p + turning.pairs : 2 * p + 1;
        float a = x[first], b = x[second];
        if (turning.norms) a *= shrink * weight[first], b *= shrink * weight[second];
        float2 turn = turns ? cos_sin(turning.position * turning.frequencies[p]) * turning.magnitude : float2(1.0f, 0.0f);
        out[first] = turns ? a * turn.x - b * turn.y : a;
        out[second] = turns ? a * turn.y + b * turn.x : b;
    }
}
