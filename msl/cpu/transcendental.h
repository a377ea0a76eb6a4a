/* transcendental.h — exp and tanh without branches or calls, so that loops around them vectorise.
 *
 * Both are within 2 units in the last place of the exact value, right at ±∞, and keep NaN. Their
 * order of operations matters, hence no reassociation inside.
 */
#ifndef METAL_LLM_MSL_CPU_TRANSCENDENTAL_H
#define METAL_LLM_MSL_CPU_TRANSCENDENTAL_H

namespace metal {

/* eˣ = 2ⁿ · eʳ with n = round(x / ln 2), r = x − n ln 2, |r| ≤ ln 2 / 2; eʳ by a polynomial (least
 * maximal relative error, 3e-9). 2ⁿ is applied in two factors, so that results near 0 and near the
 * largest float round as they should. */
MSL_INLINE float exp(float x) {
#pragma clang fp reassociate(off)
    const float to_integer = 0x1.8p23f; /* added, it rounds to an integer, kept in the low bits */
    x = x > 89.0f ? 89.0f : x;
    x = x < -104.0f ? -104.0f : x;
    float shifted = x * 1.44269504f + to_integer;
    int n = (int)(__builtin_bit_cast(unsigned, shifted) - __builtin_bit_cast(unsigned, to_integer));
    float whole = shifted - to_integer;
    float r = x - whole * 0.693359375f; /* ln 2 in two parts, the first with 9 bits: exact products */
    r = r + whole * 2.12194440e-4f;
    float p = 0.0013814590638503432f;
    p = p * r + 0.0083687175065279f;
    p = p * r + 0.04166838899254799f;
    p = p * r + 0.1666652113199234f;
    p = p * r + 0.4999999403953552f;
    p = p * (r * r) + r + 1.0f;
    unsigned half = (unsigned)(n >> 1), rest = (unsigned)n - half;
    return p * __builtin_bit_cast(float, (half + 127u) << 23) *
           __builtin_bit_cast(float, (rest + 127u) << 23);
}

/* tanh x = 1 − 2 / (e²ˣ + 1); near 0, where that cancels, x + x³ · polynomial(x²). */
MSL_INLINE float tanh(float x) {
#pragma clang fp reassociate(off)
    float size = __builtin_fabsf(x);
    float z = x * x;
    float p = -0.005704953335225582f;
    p = p * z + 0.020639054477214813f;
    p = p * z - 0.05373970419168472f;
    p = p * z + 0.13331441581249237f;
    p = p * z - 0.3333328068256378f;
    float near = p * z * x + x;
    float far = __builtin_copysignf(1.0f - 2.0f / (exp(2.0f * size) + 1.0f), x);
    return size < 0.625f ? near : far;
}

/* min and max leave open what they return for NaN, unlike fmin and fmax. LLVM's own `maximum` keeps the
 * NaN, and is the one that a loop over an array can be vectorised with. */
extern "C" float msl_minimum(float, float) __asm__("llvm.minimum.f32");
extern "C" float msl_maximum(float, float) __asm__("llvm.maximum.f32");
MSL_INLINE float min(float x, float y) {
    return msl_minimum(x, y);
}
MSL_INLINE float max(float x, float y) {
    return msl_maximum(x, y);
}

} // namespace metal

#define MSL_OWN_EXP_AND_TANH
#define MSL_OWN_MIN_AND_MAX
#include "../common/transcendental.h"

#endif
