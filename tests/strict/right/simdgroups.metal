// Every simd function, on scalars and vectors.
#include <metal_stdlib>
using namespace metal;

kernel void simdgroups(
    device float *x [[buffer(0)]],
    device ulong *masks [[buffer(1)]],
    uint i [[thread_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint width [[threads_per_simdgroup]])
{
    float value = x[i];
    value += simd_sum(value) + simd_product(value) + simd_min(value) + simd_max(value);
    value += simd_prefix_inclusive_sum(value) + simd_prefix_exclusive_sum(value);
    value += simd_broadcast(value, 0) + simd_broadcast_first(value) + simd_shuffle(value, lane);
    value += simd_shuffle_xor(value, 1) + simd_shuffle_up(value, 1) + simd_shuffle_down(value, 1);
    uint bits = simd_or(lane) ^ simd_and(lane) ^ simd_xor(lane);
    float4 vector = simd_sum(float4(value));
    if (simd_any(value > 0.0f) || simd_all(value > 0.0f) || simd_is_first()) value += vector.x;
    simdgroup_barrier(mem_flags::mem_none);
    masks[i] = (ulong)(simd_vote::vote_t)simd_ballot(lane + 1 < width) + bits;
    masks[i] += simd_vote::vote_t(simd_active_threads_mask());
    x[i] = value;
}
