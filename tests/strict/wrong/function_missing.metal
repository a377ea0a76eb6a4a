// expect: erf
#include <metal_stdlib>
using namespace metal;

kernel void gelu(device float *x [[buffer(0)]], uint i [[thread_position_in_grid]])
{
    x[i] = 0.5f * x[i] * (1.0f + erf(x[i] * M_SQRT1_2_F));
}
