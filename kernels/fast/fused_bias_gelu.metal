// fused_bias_gelu.metal — the bias of a matrix product and GELU in one pass over memory
//
//   out[t,n] = gelu(in[t,n] + bias[n]),   gelu(x) = 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))
//
// A GPU's thread takes SHARE elements of a row, which are far apart so that neighbours in a simdgroup are neighbours in
// memory: their reads are on their way at once. Grid (⌈N / SHARE⌉, T). A pass for the bias and another for GELU
// (activation.metal) would each be as slow as the memory they walk through. What comes out is of type Out: half
// where the next matrix product takes halves.
#include <metal_stdlib>
using namespace metal;
#include "parts/gelu.h"
#include "parts/simd_width.h"

constant constexpr uint GPU_SHARE = 4; // host: elements of a thread
constant constexpr uint SHARE = SIMD_WIDTH == 1 ? 1 : GPU_SHARE;

template <typename Out>
kernel void add_bias_then_gelu(
    device const float *in [[buffer(0)]],   // [T,N]
    device const float *bias [[buffer(1)]], // [N]
    device Out *out [[buffer(2)]],          // [T,N]
    constant uint &T [[buffer(3)]],
    constant uint &N [[buffer(4)]],
    uint2 id [[thread_position_in_grid]])
{
    uint distance = (N + SHARE - 1) / SHARE, t = id.y;
    if (id.x >= distance || t >= T) return;
    for (uint i = 0; i < SHARE; i++) {
        uint n = id.x + i * distance;
        if (n >= N) break;
        out[ulong(t) * N + n] = Out(gelu_of(in[ulong(t) * N + n] + bias[n]));
    }
}

template [[host_name("bias_gelu")]] kernel decltype(add_bias_then_gelu<float>) add_bias_then_gelu<float>;
template [[host_name("bias_gelu_f16")]] kernel decltype(add_bias_then_gelu<half>) add_bias_then_gelu<half>;
