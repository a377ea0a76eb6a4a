// What each thread is told about itself.
#include <metal_stdlib>
using namespace metal;

kernel void attributes(
    device uint *out [[buffer(0)]], // [z,y,x,15]
    uint3 position [[thread_position_in_grid]],
    uint3 grid [[threads_per_grid]],
    uint3 local [[thread_position_in_threadgroup]],
    uint3 extent [[threads_per_threadgroup]],
    uint3 group [[threadgroup_position_in_grid]],
    uint3 groups [[threadgroups_per_grid]],
    uint index [[thread_index_in_threadgroup]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint width [[threads_per_simdgroup]])
{
    device uint *row = out + 15 * ((position.z * grid.y + position.y) * grid.x + position.x);
    for (uint i = 0; i < 3; i++) {
        row[i] = local[i];
        row[3 + i] = extent[i];
        row[6 + i] = group[i];
        row[9 + i] = groups[i];
    }
    row[12] = index;
    row[13] = simdgroup * width + lane;
    row[14] = simdgroups;
}

kernel void narrow_attributes(
    device uint *out [[buffer(0)]],
    ushort2 position [[thread_position_in_grid]],
    ushort index [[thread_index_in_threadgroup]],
    ushort2 group [[threadgroup_position_in_grid]])
{
    out[position.x] = position.x + 1000 * position.y + 10000 * index + 100000 * group.x;
}

// The order in which threads ran: out[i] = how many came before.
kernel void order(
    device atomic_uint *counter [[buffer(0)]],
    device uint *out [[buffer(1)]],
    uint i [[thread_position_in_grid]])
{
    out[i] = atomic_fetch_add_explicit(counter, 1u, memory_order_relaxed);
}

// The same behind a barrier, and then behind a simd function.
kernel void order_behind(
    device atomic_uint *counter [[buffer(0)]],
    device uint *out [[buffer(1)]], // [2,threads]
    uint i [[thread_position_in_grid]],
    uint threads [[threads_per_grid]])
{
    threadgroup_barrier(mem_flags::mem_none);
    out[i] = atomic_fetch_add_explicit(counter, 1u, memory_order_relaxed);
    simd_sum(i);
    out[threads + i] = atomic_fetch_add_explicit(counter, 1u, memory_order_relaxed);
}
