// Functions of float and half, precise and fast, and of integers.
#include <metal_stdlib>
using namespace metal;

kernel void mathematics(
    device float *x [[buffer(0)]],
    device half *h [[buffer(1)]],
    device uint *u [[buffer(2)]],
    uint i [[thread_position_in_grid]])
{
    float value = x[i];
    value = precise::tanh(value) + fast::exp(value) + rsqrt(fabs(value) + 1.0f);
    value = fma(value, 2.0f, mix(value, 1.0f, 0.5f)) + pow(fabs(value), 1.5f) + ldexp(value, 2);
    if (isnan(value) || isinf(value) || value == -INFINITY) value = select(0.0f, NAN, i > 2);
    half small = h[i] * 0.5h + half(value);
    h[i] = max(small, 0.0h);
    uint bits = mulhi(u[i], 0xD2511F53u) ^ popcount(u[i]) ^ clz(u[i]) ^ ctz(u[i]) ^ rotate(u[i], 7u);
    u[i] = min(bits, 7u) + uint(abs(int(bits)) & INT_MAX) + as_type<uint>(value);
    x[i] = sin(value) * cos(value) + floor(value) + sign(value) + M_PI_F + clamp(value, -1.0f, 1.0f);
}
