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

// What a query has seen, and the first `count` of KEYS keys.
template <uint KEYS, uint PARTS, typename Value4>
static void add_keys(thread Running<PARTS> &running, thread const float (&score)[KEYS],
                     thread const Value4 (&value)[KEYS][PARTS], uint count)
{
    float most = running.m;
    for (uint j = 0; j < KEYS; j++)
        if (j < count) most = max(most, score[j]);
    float shrink = fast::exp2(running.m - most);
    running.m = most;
    running.l *= shrink;
    for (uint i = 0; i < PARTS; i++) running.sum[i] *= shrink;
    for (uint j = 0; j < KEYS; j++) {
        float weight = j < count ? fast::exp2(score[j] - most) : 0.0f;
        running.l += weight;
        for (uint i = 0; i < PARTS; i++) running.sum[i] += float4(value[j][i]) * weight;
    }
}
