// head_norm.metal — an RMSNorm of each head of Q and K, before rope.metal (Dehghani et al. 2023)
//
//   x[d] ← x[d] / √(mean(x²) + ε) · weight[d]        for the hs channels x of a head
//
// Scores cannot grow without bound then. All heads of Q share a weight, and so do those of K. One simdgroup per
// head, in place, grid rows · (nh + nkv): the heads of Q, then those of K; V stays as it is.
#include <metal_stdlib>
using namespace metal;

kernel void head_norm(
    device float *qkv [[buffer(0)]],            // [rows,(nh + 2 nkv)·hs]
    device const float *q_weight [[buffer(1)]], // [hs]
    device const float *k_weight [[buffer(2)]], // [hs]
    constant uint &rows [[buffer(3)]],
    constant uint &nh [[buffer(4)]],
    constant uint &nkv [[buffer(5)]],
    constant uint &hs [[buffer(6)]],
    constant float &epsilon [[buffer(7)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint n = group * simdgroups + simdgroup, row = n / (nh + nkv), head = n % (nh + nkv);
    if (row >= rows) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    device float *x = qkv + ulong(row) * (nh + 2 * nkv) * hs + head * hs;
    device const float *weight = head < nh ? q_weight : k_weight;
    float squares = 0.0f;
    for (uint d = lane; d < hs; d += lanes) squares += x[d] * x[d];
    float shrink = 1.0f / sqrt(simd_sum(squares) / float(hs) + epsilon);
    for (uint d = lane; d < hs; d += lanes) x[d] = x[d] * shrink * weight[d];
}
