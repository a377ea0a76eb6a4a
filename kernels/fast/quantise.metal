// quantise.metal — round activations to 8 bits, for integer_linear.metal and integer_matmul.metal
//
//   scale = max |x| / 127,  value = round(x / scale),  block_offset = −128 · Σ value    for each 32 neighbours of a row
//   offset = −8 · Σ value                                                              for each 4 of them
//
// One simdgroup per block of 32. A block with a number that is not finite gets NaN as its scale, so that it
// stays visible.
#include <metal_stdlib>
using namespace metal;

constant constexpr uint BLOCK = 32; // host: neighbours that share a scale

kernel void quantise_activations(
    device const float *x [[buffer(0)]], // [N]
    device char *values [[buffer(1)]],   // [N]
    device int *offset [[buffer(2)]],    // [N/4]
    device float *scale [[buffer(3)]],   // [N/32]
    device int *block_offset [[buffer(4)]], // [N/32]
    constant uint &N [[buffer(5)]],      // a multiple of 32
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    uint block = group * simdgroups + simdgroup;
    if (block >= N / BLOCK) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    ulong first = ulong(block) * BLOCK;
    float largest = 0.0f, zero = 0.0f; // 0 · ∞ is NaN
    for (uint i = lane; i < BLOCK; i += lanes) {
        largest = max(largest, fabs(x[first + i]));
        zero += 0.0f * x[first + i];
    }
    largest = simd_max(largest);
    zero = simd_sum(zero);
    bool is_usual = zero == 0.0f && largest > 1e-30f;
    // Within the bound anyway; but a compiler that may regroup would divide each x otherwise.
    float inverse = is_usual ? min(127.0f / largest, 1.27e32f) : 0.0f;
    for (uint i = lane; i < BLOCK; i += lanes) values[first + i] = is_usual ? char(rint(x[first + i] * inverse)) : 0;
    simdgroup_barrier(mem_flags::mem_device); // the other lanes' values
    device const uint *words = (device const uint *)(values + first);
    int total = 0;
    for (uint i = lane; i < BLOCK / 4; i += lanes) {
        uint w = words[i]; // four values, each brought to the top and down again, with its sign
        int sum = (int(w << 24) >> 24) + (int(w << 16) >> 24) + (int(w << 8) >> 24) + (int(w) >> 24);
        offset[first / 4 + i] = -8 * sum;
        total += sum;
    }
    total = simd_sum(total);
    if (lane > 0) return;
    block_offset[block] = -128 * total;
    scale[block] = largest / 127.0f + zero;
}
