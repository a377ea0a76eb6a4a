// dequantise.metal — packed weights as floats, for the matrix library, which takes one type for both factors
//
//   out[i] = weight i
//
// Halves and bf16 are unpacked by one thread each, grid N; blocks by one simdgroup each, grid N / VALUES.
#include <metal_stdlib>
using namespace metal;
#include "formats/all.h"
#include "formats/bf16.h"

template <typename Block>
kernel void dequantise(
    device const Block *in [[buffer(0)]], // [N/VALUES]
    device float *out [[buffer(1)]],      // [N]
    constant uint &N [[buffer(2)]],
    uint group [[threadgroup_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]],
    uint simdgroup [[simdgroup_index_in_threadgroup]],
    uint simdgroups [[simdgroups_per_threadgroup]],
    uint threads [[threads_per_threadgroup]],
    uint simd_width [[threads_per_simdgroup]])
{
    constexpr uint SIZE = Block::VALUES / Block::PARTS; // of a part
    uint block = group * simdgroups + simdgroup;
    if (block >= N / Block::VALUES) return;
    uint lanes = min(simd_width, threads - simdgroup * simd_width); // the last one may be partial
    float scale = scale_of(in + block);
    for (uint part = 0; part < Block::PARTS; part++) {
        device float *values = out + ulong(block) * Block::VALUES + part * SIZE;
        for (uint i = lane; i < Block::PIECES; i += lanes) {
            auto piece = scale * unpack(in + block, part, i);
            for (uint j = 0; j < SIZE / Block::PIECES; j++) values[i + j * Block::PIECES] = of_piece(piece, j);
        }
    }
}

template [[host_name("dequantise_iq4_nl")]] kernel decltype(dequantise<block_iq4_nl>) dequantise<block_iq4_nl>;
template [[host_name("dequantise_q2_K")]] kernel decltype(dequantise<block_q2_K>) dequantise<block_q2_K>;
template [[host_name("dequantise_q3_K")]] kernel decltype(dequantise<block_q3_K>) dequantise<block_q3_K>;
template [[host_name("dequantise_q4_0")]] kernel decltype(dequantise<block_q4_0>) dequantise<block_q4_0>;
template [[host_name("dequantise_q4_1")]] kernel decltype(dequantise<block_q4_1>) dequantise<block_q4_1>;
template [[host_name("dequantise_q4_K")]] kernel decltype(dequantise<block_q4_K>) dequantise<block_q4_K>;
template [[host_name("dequantise_q5_0")]] kernel decltype(dequantise<block_q5_0>) dequantise<block_q5_0>;
template [[host_name("dequantise_q5_1")]] kernel decltype(dequantise<block_q5_1>) dequantise<block_q5_1>;
template [[host_name("dequantise_q5_K")]] kernel decltype(dequantise<block_q5_K>) dequantise<block_q5_K>;
template [[host_name("dequantise_q6_K")]] kernel decltype(dequantise<block_q6_K>) dequantise<block_q6_K>;
template [[host_name("dequantise_q8_0")]] kernel decltype(dequantise<block_q8_0>) dequantise<block_q8_0>;

template <typename Weight>
kernel void dequantise_floats(
    device const Weight *in [[buffer(0)]], // [N]
    device float *out [[buffer(1)]],       // [N]
    constant uint &N [[buffer(2)]],
    uint i [[thread_position_in_grid]])
{
    if (i < N) out[i] = as_float(in[i]);
}

template [[host_name("dequantise_f16")]] kernel decltype(dequantise_floats<half>) dequantise_floats<half>;
template [[host_name("dequantise_bf16")]] kernel decltype(dequantise_floats<ushort>) dequantise_floats<ushort>;

// The other way: activations that the matrix library multiplies with halves. out[i] = in[i] as half. Grid N.
kernel void convert_f16(
    device const float *in [[buffer(0)]], // [N]
    device half *out [[buffer(1)]],       // [N]
    constant uint &N [[buffer(2)]],
    uint i [[thread_position_in_grid]])
{
    if (i < N) out[i] = half(in[i]);
}
