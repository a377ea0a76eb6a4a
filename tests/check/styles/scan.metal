// Prefix sums in one pass over threadgroups that look back (Merrill and Garland, 2016), and within segments.
#include <metal_stdlib>
using namespace metal;

constant constexpr uint BLOCK = 128, ITEMS = 4;
enum class Status : uint { invalid = 0u, aggregate = 1u << 30, prefix = 2u << 30 };
constant constexpr uint MASK = ~(3u << 30);

template <typename T, uint N>
METAL_FUNC T block_exclusive_scan(T value, threadgroup T *scratch, thread T &total, uint lane, uint sg)
{
    const T inclusive = simd_prefix_inclusive_sum(value);
    if (lane == 31) scratch[sg] = inclusive;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (sg == 0) {
        const T partial = lane < N / 32 ? scratch[lane] : T(0);
        const T scanned = simd_prefix_exclusive_sum(partial);
        if (lane < N / 32) scratch[lane] = scanned;
        if (lane == N / 32 - 1) scratch[N / 32] = scanned + partial;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    total = scratch[N / 32];
    return scratch[sg] + inclusive - value;
}

kernel void decoupled_look_back(device const uint *in [[buffer(0)]],
                                device uint *out [[buffer(1)]],
                                volatile device atomic_uint *status [[buffer(2)]],
                                device atomic_uint *ticket [[buffer(3)]],
                                constant uint &count [[buffer(4)]],
                                uint tid [[thread_position_in_threadgroup]],
                                uint lane [[thread_index_in_simdgroup]],
                                uint sg [[simdgroup_index_in_threadgroup]])
{
    threadgroup uint scratch[BLOCK / 32 + 1];
    threadgroup uint shared_block, shared_prefix;
    if (tid == 0) shared_block = atomic_fetch_add_explicit(ticket, 1, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    const uint block = shared_block;
    const uint base = block * BLOCK * ITEMS + tid * ITEMS;
    uint items[ITEMS], sum = 0;
    for (uint i = 0; i < ITEMS; i++) { items[i] = base + i < count ? in[base + i] : 0; sum += items[i]; }
    uint total;
    uint prefix = block_exclusive_scan<uint, BLOCK>(sum, scratch, total, lane, sg);
    if (tid == 0) {
        uint exclusive = 0;
        if (block == 0) {
            atomic_store_explicit(&status[0], uint(Status::prefix) | total, memory_order_relaxed);
        } else {
            atomic_store_explicit(&status[block], uint(Status::aggregate) | total, memory_order_relaxed);
            for (int look = int(block) - 1; look >= 0;) {
                const uint seen = atomic_load_explicit(&status[look], memory_order_relaxed);
                const uint flag = seen & ~MASK;
                if (flag == uint(Status::invalid)) continue;
                exclusive += seen & MASK;
                if (flag == uint(Status::prefix)) break;
                --look;
            }
            atomic_store_explicit(&status[block], uint(Status::prefix) | (exclusive + total), memory_order_relaxed);
        }
        shared_prefix = exclusive;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    prefix += shared_prefix;
    for (uint i = 0; i < ITEMS && base + i < count; i++) { out[base + i] = prefix; prefix += items[i]; }
}

kernel void segmented_scan(device const float *in, device const uchar *heads, device float *out,
                           uint t [[thread_index_in_threadgroup]], uint n [[threads_per_threadgroup]])
{
    threadgroup float v[2][128];
    threadgroup bool f[2][128];
    v[0][t] = in[t];
    f[0][t] = heads[t] == 0 || t == 0;
    uint from = 0;
    for (uint d = 1; d < n; d *= 2) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
        const uint to = 1 - from;
        v[to][t] = f[from][t] || t < d ? v[from][t] : v[from][t] + v[from][t - d];
        f[to][t] = f[from][t] || (t >= d && f[from][t - d]);
        from = to;
    }
    out[t] = v[from][t];
}
