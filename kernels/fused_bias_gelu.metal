// fused_bias_gelu.metal — the bias of a matrix product and GELU in one pass over memory
//
//   out[t,n] = gelu(in[t,n] + bias[n]),   gelu(x) = 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))
//
// One thread per element, grid (N, T). The plain pair is add_bias (linear.metal) and gelu_forward
// (activation.metal); for a long prompt each of them is as slow as the memory it walks through.
#include <metal_stdlib>
using namespace metal;

kernel void bias_gelu(
    device const float *in [[buffer(0)]],   // [T,N]
    device const float *bias [[buffer(1)]], // [N]
    device float *out [[buffer(2)]],        // [T,N]
    constant uint &T [[buffer(3)]],
    constant uint &N [[buffer(4)]],
    uint2 id [[thread_position_in_grid]])
{
    uint n = id.x, t = id.y;
    if (n >= N || t >= T) return;
    float x = in[ulong(t) * N + n] + bias[n];
    float inner = 0.7978845608f * (x + 0.044715f * x * x * x);
    out[ulong(t) * N + n] = 0.5f * x * (1.0f + precise::tanh(inner));
}
