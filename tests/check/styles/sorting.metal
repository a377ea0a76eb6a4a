// A radix sort's two steps: counting digits, and a stable split by each bit of a digit.
#include <metal_stdlib>
using namespace metal;

#define RADIX_BITS 4
#define RADIX (1 << RADIX_BITS)

struct SortParams { uint count; uint shift; uint groups; };

kernel void radix_histogram(device const uint *keys [[buffer(0)]],
                            device atomic_uint *histogram [[buffer(1)]],
                            constant SortParams &params [[buffer(2)]],
                            uint gid [[thread_position_in_grid]],
                            uint tid [[thread_index_in_threadgroup]],
                            uint group [[threadgroup_position_in_grid]],
                            uint total [[threads_per_grid]])
{
    threadgroup atomic_uint bins[RADIX];
    if (tid < RADIX) atomic_store_explicit(&bins[tid], 0, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint i = gid; i < params.count; i += total) {
        const uint digit = extract_bits(keys[i], params.shift, RADIX_BITS);
        atomic_fetch_add_explicit(&bins[digit], 1u, memory_order_relaxed);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (tid < RADIX)
        atomic_store_explicit(&histogram[tid * params.groups + group], atomic_load_explicit(&bins[tid], memory_order_relaxed), memory_order_relaxed);
}

// one threadgroup: a stable split by each bit of the digit
kernel void radix_scatter(device const uint *keys [[buffer(0)]], device const uint *values [[buffer(1)]],
                          device uint *keysOut [[buffer(2)]], device uint *valuesOut [[buffer(3)]],
                          constant SortParams &params [[buffer(4)]],
                          uint tid [[thread_position_in_threadgroup]],
                          uint lane [[thread_index_in_simdgroup]], uint sg [[simdgroup_index_in_threadgroup]],
                          uint sgs [[simdgroups_per_threadgroup]])
{
    threadgroup uint2 local[256];
    threadgroup uint sums[32];
    const bool valid = tid < params.count;
    uint2 kv = valid ? uint2(keys[tid], values[tid]) : uint2(UINT_MAX, 0);
    for (uint bit = 0; bit < RADIX_BITS; bit++) {
        const uint pred = ((kv.x >> (params.shift + bit)) & 1) == 0;
        const uint before = simd_prefix_exclusive_sum(pred);
        if (lane == 31) sums[sg] = before + pred;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        uint zeros = 0, base = 0;
        for (uint s = 0; s < sgs; s++) { base += s < sg ? sums[s] : 0; zeros += sums[s]; }
        const uint rank = pred ? base + before : zeros + tid - (base + before);
        local[rank] = kv;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        kv = local[tid];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    if (valid) { keysOut[tid] = kv.x; valuesOut[tid] = kv.y; }
}
