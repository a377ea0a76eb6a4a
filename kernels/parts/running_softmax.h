// running_softmax.h — the softmax of one query, by lanes that have seen different keys
#pragma once

// The softmax of some keys so far, to the base 2: the largest score, the sum of the weights 2^(score − m), and a
// lane's part of the weighted values. m is never −∞, so that no difference is NaN.
template <uint PARTS> struct Running {
    float m, l;
    float4 sum[PARTS];
};

// Both as if they had run through their keys one after the other.
template <uint PARTS> static void merge(thread Running<PARTS> &a, Running<PARTS> b)
{
    float m = max(a.m, b.m), left = fast::exp2(a.m - m), right = fast::exp2(b.m - m);
    a.m = m;
    a.l = a.l * left + b.l * right;
    for (uint i = 0; i < PARTS; i++) a.sum[i] = a.sum[i] * left + b.sum[i] * right;
}

// The same of the lane that is `distance` away.
template <uint PARTS> static Running<PARTS> other(Running<PARTS> running, ushort distance)
{
    running.m = simd_shuffle_xor(running.m, distance);
    running.l = simd_shuffle_xor(running.l, distance);
    for (uint i = 0; i < PARTS; i++)
        for (uint j = 0; j < 4; j++) running.sum[i][j] = simd_shuffle_xor(running.sum[i][j], distance);
    return running;
}
