// simd functions: all lanes, a part of them, lanes that went different ways.
#include <metal_stdlib>
using namespace metal;

kernel void reductions(
    device const uint *x [[buffer(0)]],
    device uint *out [[buffer(1)]], // [threads,12]
    uint i [[thread_position_in_grid]])
{
    device uint *row = out + 12 * i;
    row[0] = simd_sum(x[i]);
    row[1] = simd_product(x[i]);
    row[2] = simd_min(x[i]);
    row[3] = simd_max(x[i]);
    row[4] = simd_and(x[i]);
    row[5] = simd_or(x[i]);
    row[6] = simd_xor(x[i]);
    row[7] = simd_prefix_inclusive_sum(x[i]);
    row[8] = simd_prefix_exclusive_sum(x[i]);
    row[9] = simd_prefix_inclusive_product(x[i]);
    row[10] = simd_prefix_exclusive_product(x[i]);
    row[11] = uint(simd_sum(float4(float(x[i]))).w);
}

kernel void shuffles(
    device const float *x [[buffer(0)]],
    device float *out [[buffer(1)]], // [threads,8]
    uint i [[thread_position_in_grid]],
    ushort lane [[thread_index_in_simdgroup]])
{
    device float *row = out + 8 * i;
    row[0] = simd_broadcast(x[i], 2);
    row[1] = simd_broadcast_first(x[i]);
    row[2] = simd_shuffle(x[i], ushort(lane / 2));
    row[3] = simd_shuffle_xor(x[i], 1);
    row[4] = simd_shuffle_up(x[i], 3);
    row[5] = simd_shuffle_down(x[i], 3);
    row[6] = simd_shuffle_rotate_up(x[i], 5);
    row[7] = simd_shuffle_rotate_down(x[i], 5);
}

kernel void votes(
    device const uint *x [[buffer(0)]],
    device ulong *out [[buffer(1)]], // [threads,7]
    uint i [[thread_position_in_grid]])
{
    device ulong *row = out + 7 * i;
    bool odd = x[i] % 2;
    row[0] = simd_vote::vote_t(simd_ballot(odd));
    row[1] = simd_vote::vote_t(simd_active_threads_mask());
    row[2] = simd_any(odd);
    row[3] = simd_all(odd);
    row[4] = simd_is_first();
    row[5] = simd_ballot(true).all();
    row[6] = simd_ballot(odd).any();
}

// Two ways, then together again: the lanes that share a way are counted.
kernel void branches(
    device uint *out [[buffer(0)]], // [threads,2]
    uint i [[thread_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]])
{
    uint alike;
    if (lane % 3 == 0) alike = simd_sum(1u);
    else alike = simd_sum(1u);
    out[2 * i] = alike;
    out[2 * i + 1] = simd_sum(1u);
}

// Only some lanes go the way; the others must wait for them behind it.
kernel void detour(
    device uint *out [[buffer(0)]], // [threads,2]
    uint i [[thread_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]])
{
    uint alike = 0;
    if (lane < 5) alike = simd_sum(1u);
    out[2 * i] = alike;
    out[2 * i + 1] = simd_sum(1u);
}

// Each lane leaves the loop at a different time: lane n adds up the lanes still inside, n times.
kernel void loops(
    device uint *out [[buffer(0)]], // [threads,2]
    uint i [[thread_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]])
{
    uint inside = 0;
    for (uint round = 0; round < lane; round++) inside += simd_sum(1u);
    out[2 * i] = inside;
    out[2 * i + 1] = simd_sum(1u);
}

static uint count_lanes()
{
    return simd_sum(1u);
}

static uint count_in_detour(uint lane)
{
    if (lane % 2 == 0) return simd_sum(1u) + count_lanes();
    return 0;
}

// As branches and detour, but where lanes meet is the same line of the same function.
kernel void calls(
    device uint *out [[buffer(0)]], // [threads,3]
    uint i [[thread_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]])
{
    device uint *row = out + 3 * i;
    row[0] = lane < 7 ? count_lanes() : count_lanes();
    row[1] = count_in_detour(lane);
    row[2] = count_lanes();
}

// Lanes that have returned take no part; to read from them gives no number.
kernel void returned(
    device float *out [[buffer(0)]], // [threads,2]
    constant uint &N [[buffer(1)]],
    uint i [[thread_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]])
{
    if (lane >= N) return;
    out[2 * i] = simd_sum(1.0f);
    out[2 * i + 1] = simd_broadcast(1.0f, ushort(N));
}

// simd functions and barriers in turn.
kernel void both(
    device uint *out [[buffer(0)]],
    uint i [[thread_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]])
{
    threadgroup uint partial[64];
    uint total = 0;
    for (uint round = 0; round < 3; round++) {
        uint sum = simd_sum(i + round);
        if (lane == 0) partial[simdgroup] = sum;
        simdgroup_barrier(mem_flags::mem_threadgroup);
        sum = partial[simdgroup];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint n = 0; n < simdgroups; n++) total += partial[n];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    out[i] = total;
}
