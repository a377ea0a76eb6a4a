// gated_activation.metal — a half of the MLP decides how much of the other half passes (Shazeer 2020)
//
//   out[t,i] = f(gate[t,i]) · up[t,i]       gate[t,i] = in[t,i] + gate_bias[i],  up[t,i] = in[t,I + i] + up_bias[i]
//
//   silu_gated   f(x) = x / (1 + exp(−x))                                     Llama, Qwen: SwiGLU
//   gelu_gated   f(x) = 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))            Gemma: GeGLU
//
// One thread per element, grid (I, T). gate and up are two products of the same input, whose results lie side by side in
// the rows of `in`; the biases are those that the products have left to be added. Where exp overflows, silu is x / ∞ = −0, as it should be; precise::tanh as in activation.metal. What
// comes out is of type Out: half where the next matrix product takes halves.
#include <metal_stdlib>
using namespace metal;

static float silu(float x) { return x / (1.0f + precise::exp(-x)); }
static float gelu(float x)
{
    return 0.5f * x * (1.0f + precise::tanh(0.7978845608f * (x + 0.044715f * x * x * x)));
}

template <typename Out>
kernel void silu_gated(
    device const float *in [[buffer(0)]],        // [T,2I]
    device const float *gate_bias [[buffer(1)]], // [I]
    device const float *up_bias [[buffer(2)]],   // [I]
    device Out *out [[buffer(3)]],               // [T,I]
    constant uint &T [[buffer(4)]],
    constant uint &I [[buffer(5)]],
    uint2 id [[thread_position_in_grid]])
{
    uint i = id.x, t = id.y;
    if (i >= I || t >= T) return;
    device const float *row = in + ulong(t) * 2 * I;
    out[ulong(t) * I + i] = Out(silu(row[i] + gate_bias[i]) * (row[I + i] + up_bias[i]));
}

template <typename Out>
kernel void gelu_gated(
    device const float *in [[buffer(0)]],        // [T,2I]
    device const float *gate_bias [[buffer(1)]], // [I]
    device const float *up_bias [[buffer(2)]],   // [I]
    device Out *out [[buffer(3)]],               // [T,I]
    constant uint &T [[buffer(4)]],
    constant uint &I [[buffer(5)]],
    uint2 id [[thread_position_in_grid]])
{
    uint i = id.x, t = id.y;
    if (i >= I || t >= T) return;
    device const float *row = in + ulong(t) * 2 * I;
    out[ulong(t) * I + i] = Out(gelu(row[i] + gate_bias[i]) * (row[I + i] + up_bias[i]));
}

template [[host_name("silu_gated")]] kernel decltype(silu_gated<float>) silu_gated<float>;
template [[host_name("silu_gated_f16")]] kernel decltype(silu_gated<half>) silu_gated<half>;
template [[host_name("gelu_gated")]] kernel decltype(gelu_gated<float>) gelu_gated<float>;
template [[host_name("gelu_gated_f16")]] kernel decltype(gelu_gated<half>) gelu_gated<half>;
