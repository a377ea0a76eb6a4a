// activation.metal — GELU, the tanh approximation (Hendrycks & Gimpel 2016; GPT-2's "gelu_new")
//
//   out[i] = 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))      x = in[i]
//
// One thread per element, grid N. precise::tanh, because the fast one computes (e²ˣ − 1) / (e²ˣ + 1),
// which is NaN as soon as e²ˣ overflows: at |x| > 10 already.
#include <metal_stdlib>
using namespace metal;

kernel void gelu_forward(
    device const float *in [[buffer(0)]], // [N]
    device float *out [[buffer(1)]],      // [N]
    constant uint &N [[buffer(2)]],
    uint i [[thread_position_in_grid]])
{
    if (i >= N) return;
    float x = in[i];
    float inner = 0.7978845608f * (x + 0.044715f * x * x * x);
    out[i] = 0.5f * x * (1.0f + precise::tanh(inner));
}
