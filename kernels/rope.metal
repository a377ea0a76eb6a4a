// rope.metal — positions as angles: pairs of channels of Q and K are turned (Su et al. 2021)
//
//   (a, b) → magnitude · (a cos φ − b sin φ, a sin φ + b cos φ)        φ = (lengths[b] + t) · frequencies[p]
//
// Two turned vectors have the dot product that the distance of their positions gives them. Pair p of a head is
// channels (2p, 2p + 1), `rope_adjacent`, or (p, p + rotary / 2), `rope_halves`; channels from `rotary` on are not
// turned. The frequencies, and what scaling does to them, come from the host; the magnitude is YaRN's, else 1.
#include <metal_stdlib>
using namespace metal;
#include "parts/cos_sin.h"

// A thread takes a pair, in place; grid (⌈hs / 2⌉, nh + nkv, B·T): the heads of Q, then those of K. The biases are
// those of the matrix products which made qkv, added here to save a pass over memory; that of V is still owed.
template <bool HALVES>
kernel void rope(
    device float *qkv [[buffer(0)]],               // [B,T,(nh + 2 nkv)·hs]
    device const float *q_bias [[buffer(1)]],      // [nh·hs]
    device const float *k_bias [[buffer(2)]],      // [nkv·hs]
    device const uint *lengths [[buffer(3)]],      // [B] tokens before these
    device const float *frequencies [[buffer(4)]], // [rotary / 2]
    constant uint &T [[buffer(5)]],
    constant uint &nh [[buffer(6)]],
    constant uint &nkv [[buffer(7)]],
    constant uint &hs [[buffer(8)]],
    constant uint &rotary [[buffer(9)]], // ≤ hs, even
    constant float &magnitude [[buffer(10)]],
    uint3 id [[thread_position_in_grid]])
{
    uint head = id.y, row = id.z, pairs = rotary / 2, N = (nh + 2 * nkv) * hs, channel = head * hs;
    ulong p = id.x, x = ulong(row) * N + channel;
    float position = float(lengths[row / T] + row % T);
    device const float *bias = head < nh ? q_bias + channel : k_bias + (channel - nh * hs);
    if (p >= (hs + 1) / 2 || head >= nh + nkv) return;
    if (p < pairs) {
        ulong first = HALVES ? p : 2 * p, second = HALVES ? p + pairs : 2 * p + 1;
        float2 turn = cos_sin(position * frequencies[p]) * magnitude;
        float a = qkv[x + first] + bias[first], b = qkv[x + second] + bias[second];
        qkv[x + first] = a * turn.x - b * turn.y;
        qkv[x + second] = a * turn.y + b * turn.x;
    } else {
        qkv[x + 2 * p] += bias[2 * p];
        if (2 * p + 1 < hs) qkv[x + 2 * p + 1] += bias[2 * p + 1];
    }
}

template [[host_name("rope_adjacent")]] kernel decltype(rope<false>) rope<false>;
template [[host_name("rope_halves")]] kernel decltype(rope<true>) rope<true>;
