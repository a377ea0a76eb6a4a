/* functions.h — Metal's math, integer and relational functions on scalars and vectors. */
#ifndef METAL_LLM_MSL_FUNCTIONS_H
#define METAL_LLM_MSL_FUNCTIONS_H

#include "types.h"
#include <transcendental.h>

namespace metal {

/* A parameter of this type takes no part in deduction: max(v, 0.0f) works for a vector v. */
template <typename T> struct same_type {
    typedef T type;
};
template <typename T> using same = typename same_type<T>::type;

/* Only of floating types: what a kernel calls by the same name with integers is its own. */
template <typename T> struct floating_type {};
template <> struct floating_type<float> {
    typedef float type;
};
template <> struct floating_type<half> {
    typedef half type;
};
#ifdef MSL_BFLOAT
template <> struct floating_type<bfloat> {
    typedef bfloat type;
};
#endif
template <typename T, int N> using vec_of_floats = vec<typename floating_type<T>::type, N>;

/* --- a float function for half (through float) and for vectors (by element) --- */

/* Metal's functions take a bfloat as the float that it converts to. */
#ifdef MSL_BFLOAT
template <typename T> struct bfloat_only {};
template <> struct bfloat_only<bfloat> {
    typedef int type;
};
#define MSL_BFLOAT_ONLY template <typename T, typename bfloat_only<T>::type = 0> MSL_INLINE
#define MSL_BFLOAT_1(name)                                                                         \
    MSL_BFLOAT_ONLY float name(T x) {                                                              \
        return name(float(x));                                                                     \
    }
#define MSL_BFLOAT_2(name)                                                                         \
    MSL_BFLOAT_ONLY float name(T x, T y) {                                                         \
        return name(float(x), float(y));                                                           \
    }
#define MSL_BFLOAT_3(name)                                                                         \
    MSL_BFLOAT_ONLY float name(T x, T y, T z) {                                                    \
        return name(float(x), float(y), float(z));                                                 \
    }
#define MSL_BFLOAT_TEST(name)                                                                      \
    MSL_BFLOAT_ONLY bool name(T x) {                                                               \
        return name(float(x));                                                                     \
    }
#else
#define MSL_BFLOAT_1(name)
#define MSL_BFLOAT_2(name)
#define MSL_BFLOAT_3(name)
#define MSL_BFLOAT_TEST(name)
#endif

#define MSL_LIFT_1_TO(Vector, name)                                                                \
    MSL_BFLOAT_1(name)                                                                             \
    MSL_INLINE half name(half x) {                                                                 \
        return half(name(float(x)));                                                               \
    }                                                                                              \
    template <typename T, int N> MSL_INLINE Vector<T, N> name(vec<T, N> x) {                       \
        for (int i = 0; i < N; i++) x[i] = name(x[i]);                                             \
        return x;                                                                                  \
    }
#define MSL_LIFT_2_TO(Vector, name)                                                                \
    MSL_BFLOAT_2(name)                                                                             \
    MSL_INLINE half name(half x, half y) {                                                         \
        return half(name(float(x), float(y)));                                                     \
    }                                                                                              \
    template <typename T, int N>                                                                   \
    MSL_INLINE Vector<T, N> name(vec<T, N> x, same<vec<T, N>> y) {                                 \
        for (int i = 0; i < N; i++) x[i] = name(x[i], y[i]);                                       \
        return x;                                                                                  \
    }
#define MSL_LIFT_3_TO(Vector, name)                                                                \
    MSL_BFLOAT_3(name)                                                                             \
    MSL_INLINE half name(half x, half y, half z) {                                                 \
        return half(name(float(x), float(y), float(z)));                                           \
    }                                                                                              \
    template <typename T, int N>                                                                   \
    MSL_INLINE Vector<T, N> name(vec<T, N> x, same<vec<T, N>> y, same<vec<T, N>> z) {              \
        for (int i = 0; i < N; i++) x[i] = name(x[i], y[i], z[i]);                                 \
        return x;                                                                                  \
    }
#define MSL_LIFT_1(name) MSL_LIFT_1_TO(vec_of_floats, name)
#define MSL_LIFT_2(name) MSL_LIFT_2_TO(vec_of_floats, name)
#define MSL_LIFT_3(name) MSL_LIFT_3_TO(vec_of_floats, name)

#define MSL_FLOAT_1(name, expression)                                                              \
    MSL_INLINE float name(float x) {                                                               \
        return expression;                                                                         \
    }                                                                                              \
    MSL_LIFT_1(name)
#define MSL_FLOAT_2(name, expression)                                                              \
    MSL_INLINE float name(float x, float y) {                                                      \
        return expression;                                                                         \
    }                                                                                              \
    MSL_LIFT_2(name)
#define MSL_FLOAT_3(name, expression)                                                              \
    MSL_INLINE float name(float x, float y, float z) {                                             \
        return expression;                                                                         \
    }                                                                                              \
    MSL_LIFT_3(name)

MSL_LIFT_1(exp)
MSL_LIFT_1(exp2)
MSL_LIFT_1(log)
MSL_LIFT_1(log2)
MSL_LIFT_1(tanh)
MSL_LIFT_2(pow)
MSL_FLOAT_1(exp10, __builtin_powf(10.0f, x))
MSL_FLOAT_1(log10, __builtin_log10f(x))
MSL_FLOAT_2(powr, pow(x, y))
MSL_FLOAT_1(sin, __builtin_sinf(x))
MSL_FLOAT_1(cos, __builtin_cosf(x))
MSL_FLOAT_1(tan, __builtin_tanf(x))
MSL_FLOAT_1(asin, __builtin_asinf(x))
MSL_FLOAT_1(acos, __builtin_acosf(x))
MSL_FLOAT_1(atan, __builtin_atanf(x))
MSL_FLOAT_2(atan2, __builtin_atan2f(x, y))
MSL_FLOAT_1(sinh, __builtin_sinhf(x))
MSL_FLOAT_1(cosh, __builtin_coshf(x))
MSL_FLOAT_1(asinh, __builtin_asinhf(x))
MSL_FLOAT_1(acosh, __builtin_acoshf(x))
MSL_FLOAT_1(atanh, __builtin_atanhf(x))

MSL_FLOAT_1(fabs, __builtin_fabsf(x))
MSL_FLOAT_1(floor, __builtin_floorf(x))
MSL_FLOAT_1(ceil, __builtin_ceilf(x))
MSL_FLOAT_1(trunc, __builtin_truncf(x))
MSL_FLOAT_1(round, __builtin_roundf(x)) /* halves away from zero */
MSL_FLOAT_1(rint, __builtin_rintf(x))   /* halves to even */
MSL_FLOAT_1(fract, __builtin_fminf(x - floor(x), 0x1.fffffep-1f))
MSL_FLOAT_1(sqrt, __builtin_sqrtf(x))
MSL_FLOAT_1(rsqrt, 1.0f / __builtin_sqrtf(x))
MSL_FLOAT_1(sign, x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x == 0.0f ? x : 0.0f) /* of NaN: 0 */
MSL_FLOAT_1(saturate, __builtin_fminf(__builtin_fmaxf(x, 0.0f), 1.0f))
MSL_FLOAT_2(fmin, __builtin_fminf(x, y)) /* of a number and a NaN: the number */
MSL_FLOAT_2(fmax, __builtin_fmaxf(x, y))
MSL_FLOAT_2(fmod, __builtin_fmodf(x, y))
MSL_FLOAT_2(fdim, __builtin_fdimf(x, y))
MSL_FLOAT_2(copysign, __builtin_copysignf(x, y))
MSL_FLOAT_2(step, y < x ? 0.0f : 1.0f)
MSL_FLOAT_3(fma, __builtin_fmaf(x, y, z))
MSL_FLOAT_3(mix, x + (y - x) * z)

MSL_FLOAT_1(sinpi, __builtin_sinf(x * M_PI_F))
MSL_FLOAT_1(cospi, __builtin_cosf(x * M_PI_F))
MSL_FLOAT_1(tanpi, __builtin_tanf(x * M_PI_F))
MSL_FLOAT_2(divide, x / y)
MSL_FLOAT_2(nextafter, __builtin_nextafterf(x, y))

MSL_INLINE float smoothstep(float low, float high, float x) {
    float t = saturate((x - low) / (high - low));
    return t * t * (3.0f - 2.0f * t);
}
MSL_LIFT_3(smoothstep)
template <typename T, int N> MSL_INLINE vec<T, N> mix(vec<T, N> x, same<vec<T, N>> y, same<T> a) {
    return mix(x, y, vec<T, N>(a));
}

MSL_INLINE float ldexp(float x, int exponent) {
    return __builtin_ldexpf(x, exponent);
}
template <typename T, int N> MSL_INLINE vec<T, N> ldexp(vec<T, N> x, vec<int, N> exponent) {
    for (int i = 0; i < N; i++) x[i] = T(ldexp(float(x[i]), exponent[i]));
    return x;
}
MSL_INLINE float frexp(float x, int &exponent) {
    return __builtin_frexpf(x, &exponent);
}
MSL_INLINE int ilogb(float x) {
    return __builtin_ilogbf(x);
}
template <typename T> MSL_INLINE T modf(T x, same<T> &whole) {
    whole = trunc(x);
    return x - whole;
}
template <typename T> MSL_INLINE T sincos(T x, same<T> &cosine) {
    cosine = cos(x);
    return sin(x);
}

/* --- min, max, clamp, abs: on every number --- */

#ifndef MSL_OWN_MIN_AND_MAX
MSL_INLINE float min(float x, float y) {
    return fmin(x, y);
}
MSL_INLINE float max(float x, float y) {
    return fmax(x, y);
}
#endif
MSL_INLINE float clamp(float x, float low, float high) {
    return fmin(fmax(x, low), high);
}
MSL_INLINE float abs(float x) {
    return fabs(x);
}

#define MSL_INTEGER(T)                                                                             \
    MSL_INLINE T min(T x, T y) {                                                                   \
        return x < y ? x : y;                                                                      \
    }                                                                                              \
    MSL_INLINE T max(T x, T y) {                                                                   \
        return x < y ? y : x;                                                                      \
    }                                                                                              \
    MSL_INLINE T clamp(T x, T low, T high) {                                                       \
        return min(max(x, low), high);                                                             \
    }                                                                                              \
    MSL_INLINE T abs(T x) {                                                                        \
        return x < T(0) ? T(0 - x) : x;                                                            \
    }
#define MSL_UNSIGNED(T, popcount_, clz_, ctz_)                                                     \
    MSL_INLINE T popcount(T x) {                                                                   \
        return T(popcount_(x));                                                                    \
    }                                                                                              \
    MSL_INLINE T clz(T x) {                                                                        \
        return x ? T(clz_(x)) : T(8 * sizeof x);                                                   \
    }                                                                                              \
    MSL_INLINE T ctz(T x) {                                                                        \
        return x ? T(ctz_(x)) : T(8 * sizeof x);                                                   \
    }                                                                                              \
    MSL_INLINE T rotate(T x, T bits) {                                                             \
        bits %= 8 * sizeof x;                                                                      \
        return bits ? T(x << bits | x >> (8 * sizeof x - bits)) : x;                               \
    }
MSL_INTEGER(char)
MSL_INTEGER(uchar)
MSL_INTEGER(short)
MSL_INTEGER(ushort)
MSL_INTEGER(int)
MSL_INTEGER(uint)
MSL_INTEGER(long)
MSL_INTEGER(ulong)
/* After all that they are made of. */
MSL_LIFT_2_TO(vec, min)
MSL_LIFT_2_TO(vec, max)
MSL_LIFT_3_TO(vec, clamp)
MSL_LIFT_1_TO(vec, abs)
#define MSL_CLZ_8(x)  (__builtin_clz(x) - 24)
#define MSL_CLZ_16(x) (__builtin_clz(x) - 16)
MSL_UNSIGNED(uchar, __builtin_popcount, MSL_CLZ_8, __builtin_ctz)
MSL_UNSIGNED(ushort, __builtin_popcount, MSL_CLZ_16, __builtin_ctz)
MSL_UNSIGNED(uint, __builtin_popcount, __builtin_clz, __builtin_ctz)
MSL_UNSIGNED(ulong, __builtin_popcountl, __builtin_clzl, __builtin_ctzl)
MSL_INLINE int popcount(int x) {
    return int(popcount(uint(x)));
}
MSL_INLINE int clz(int x) {
    return int(clz(uint(x)));
}
MSL_INLINE int ctz(int x) {
    return int(ctz(uint(x)));
}

/* Functions of integers on vectors, element by element; min, max, clamp and abs are above. */
#define MSL_LIFT_INTEGER(name)                                                                     \
    template <typename T, int N> MSL_INLINE vec<T, N> name(vec<T, N> x) {                          \
        for (int i = 0; i < N; i++) x[i] = name(x[i]);                                             \
        return x;                                                                                  \
    }
MSL_LIFT_INTEGER(popcount)
MSL_LIFT_INTEGER(clz)
MSL_LIFT_INTEGER(ctz)
#undef MSL_LIFT_INTEGER

template <typename T> MSL_INLINE T min3(T x, same<T> y, same<T> z) {
    return min(x, min(y, z));
}
template <typename T> MSL_INLINE T max3(T x, same<T> y, same<T> z) {
    return max(x, max(y, z));
}
template <typename T> MSL_INLINE T median3(T x, same<T> y, same<T> z) {
    return max(min(x, y), min(max(x, y), z));
}
template <typename T> MSL_INLINE T absdiff(T x, same<T> y) {
    return x < y ? y - x : x - y;
}
MSL_INLINE uint reverse_bits(uint x) {
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0F0F0F0Fu) | (x & 0x0F0F0F0Fu) << 4;
    x = (x >> 8 & 0x00FF00FFu) | (x & 0x00FF00FFu) << 8;
    return x >> 16 | x << 16;
}
MSL_INLINE uint extract_bits(uint x, uint offset, uint bits) {
    return bits == 32 ? x >> offset : x >> offset & ((1u << bits) - 1);
}
MSL_INLINE int extract_bits(int x, uint offset, uint bits) {
    return bits ? int(uint(x) << (32 - bits - offset)) >> (32 - bits) : 0;
}
MSL_INLINE uint insert_bits(uint base, uint insert, uint offset, uint bits) {
    uint mask = (bits == 32 ? ~0u : (1u << bits) - 1) << offset;
    return (base & ~mask) | (insert << offset & mask);
}
MSL_INLINE uint addsat(uint x, uint y) {
    return x + y < x ? ~0u : x + y;
}
MSL_INLINE int addsat(int x, int y) {
    return int(clamp(long(x) + y, long(INT_MIN), long(INT_MAX)));
}
MSL_INLINE uint subsat(uint x, uint y) {
    return x < y ? 0 : x - y;
}
MSL_INLINE int subsat(int x, int y) {
    return int(clamp(long(x) - y, long(INT_MIN), long(INT_MAX)));
}
/* The mean, rounded down and up. */
MSL_INLINE uint hadd(uint x, uint y) {
    return uint(((ulong)x + y) >> 1);
}
MSL_INLINE int hadd(int x, int y) {
    return int(((long)x + y) >> 1);
}
MSL_INLINE uint rhadd(uint x, uint y) {
    return uint(((ulong)x + y + 1) >> 1);
}
MSL_INLINE int rhadd(int x, int y) {
    return int(((long)x + y + 1) >> 1);
}
MSL_INLINE int mul24(int x, int y) {
    return int(uint(x) * uint(y));
}
MSL_INLINE uint mul24(uint x, uint y) {
    return x * y;
}
MSL_INLINE int mad24(int x, int y, int z) {
    return int(uint(x) * uint(y) + uint(z));
}
MSL_INLINE uint mad24(uint x, uint y, uint z) {
    return x * y + z;
}

/* The upper half of the product. */
MSL_INLINE int mulhi(int x, int y) {
    return int((long)x * y >> 32);
}
MSL_INLINE uint mulhi(uint x, uint y) {
    return uint((ulong)x * y >> 32);
}
MSL_INLINE long mulhi(long x, long y) {
    return long((__int128)x * y >> 64);
}
MSL_INLINE ulong mulhi(ulong x, ulong y) {
    return ulong((unsigned __int128)x * y >> 64);
}

template <typename T> MSL_INLINE T madhi(T x, same<T> y, same<T> z) {
    return mulhi(x, y) + z;
}

/* --- relational --- */

#define MSL_TEST(name, expression)                                                                 \
    MSL_INLINE bool name(float x) {                                                                \
        return expression;                                                                         \
    }                                                                                              \
    MSL_INLINE bool name(half x) {                                                                 \
        return name(float(x));                                                                     \
    }                                                                                              \
    MSL_BFLOAT_TEST(name)                                                                          \
    template <typename T, int N> MSL_INLINE vec<bool, N> name(const vec<T, N> &x) {                \
        vec<bool, N> result;                                                                       \
        for (int i = 0; i < N; i++) result[i] = name(x[i]);                                        \
        return result;                                                                             \
    }
MSL_TEST(isnan, __builtin_isnan(x))
MSL_TEST(isinf, __builtin_isinf(x))
MSL_TEST(isfinite, __builtin_isfinite(x))
MSL_TEST(isnormal, __builtin_isnormal(x))
MSL_TEST(signbit, __builtin_signbit(x))

MSL_INLINE bool isunordered(float x, float y) {
    return isnan(x) || isnan(y);
}
MSL_INLINE bool isordered(float x, float y) {
    return !isunordered(x, y);
}

MSL_INLINE bool any(bool x) {
    return x;
}
MSL_INLINE bool all(bool x) {
    return x;
}
template <int N> MSL_INLINE bool any(const vec<bool, N> &x) {
    bool result = false;
    for (int i = 0; i < N; i++) result |= x[i];
    return result;
}
template <int N> MSL_INLINE bool all(const vec<bool, N> &x) {
    bool result = true;
    for (int i = 0; i < N; i++) result &= x[i];
    return result;
}

/* b where the condition holds, else a. */
template <typename T> MSL_INLINE T select(T a, same<T> b, bool condition) {
    return condition ? b : a;
}
template <typename T, int N>
MSL_INLINE vec<T, N> select(vec<T, N> a, same<vec<T, N>> b, const vec<bool, N> &condition) {
    for (int i = 0; i < N; i++) a[i] = condition[i] ? b[i] : a[i];
    return a;
}

/* --- geometric --- */

template <typename T, int N> MSL_INLINE T dot(vec<T, N> a, same<vec<T, N>> b) {
    T sum = a[0] * b[0];
    for (int i = 1; i < N; i++) sum += a[i] * b[i];
    return sum;
}
template <typename T, int N> MSL_INLINE T length_squared(const vec<T, N> &a) {
    return dot(a, a);
}
template <typename T, int N> MSL_INLINE T length(const vec<T, N> &a) {
    return sqrt(dot(a, a));
}
template <typename T, int N> MSL_INLINE vec<T, N> normalize(const vec<T, N> &a) {
    return a * rsqrt(dot(a, a));
}

template <typename T, int N> MSL_INLINE T distance_squared(const vec<T, N> &a, const vec<T, N> &b) {
    return length_squared(a - b);
}
template <typename T, int N> MSL_INLINE T distance(const vec<T, N> &a, same<vec<T, N>> b) {
    return length(a - b);
}
template <typename T, int N> MSL_INLINE vec<T, N> reflect(const vec<T, N> &a, const vec<T, N> &n) {
    return a - T(2) * dot(a, n) * n;
}
template <typename T> MSL_INLINE vec<T, 3> cross(const vec<T, 3> &a, const vec<T, 3> &b) {
    return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

/* --- numeric_limits --- */

/* A kernel may add types of its own to the first. */
template <typename T> struct _numeric_limits_impl {
    static constexpr bool is_specialized = true, is_signed = T(-1) < T(0), is_integer = true;
    static constexpr bool has_infinity = false, has_quiet_NaN = false;
    static constexpr int digits = 8 * sizeof(T) - is_signed, radix = 2;
    static constexpr T max() {
        return T(-1) < T(0) ? T(~(T(1) << (8 * sizeof(T) - 1))) : T(-1);
    }
    static constexpr T min() {
        return T(-1) < T(0) ? T(T(1) << (8 * sizeof(T) - 1)) : T(0);
    }
    static constexpr T lowest() {
        return min();
    }
};
template <> struct _numeric_limits_impl<bool> {
    static constexpr bool max() {
        return true;
    }
    static constexpr bool min() {
        return false;
    }
    static constexpr bool lowest() {
        return false;
    }
};
#define MSL_FLOAT_LIMITS(T, largest, smallest, step, bits)                                         \
    template <> struct _numeric_limits_impl<T> {                                                   \
        static constexpr bool is_specialized = true, is_signed = true, is_integer = false;         \
        static constexpr bool has_infinity = true, has_quiet_NaN = true;                           \
        static constexpr int digits = bits, radix = 2;                                             \
        static constexpr T max() {                                                                 \
            return T(largest);                                                                     \
        }                                                                                          \
        static constexpr T lowest() {                                                              \
            return T(-largest);                                                                    \
        }                                                                                          \
        static constexpr T min() {                                                                 \
            return T(smallest);                                                                    \
        }                                                                                          \
        static constexpr T epsilon() {                                                             \
            return T(step);                                                                        \
        }                                                                                          \
        static constexpr T infinity() {                                                            \
            return T(INFINITY);                                                                    \
        }                                                                                          \
        static constexpr T quiet_NaN() {                                                           \
            return T(NAN);                                                                         \
        }                                                                                          \
        static constexpr T signaling_NaN() {                                                       \
            return T(NAN);                                                                         \
        }                                                                                          \
        static constexpr T denorm_min() {                                                          \
            return T(smallest * step);                                                             \
        }                                                                                          \
        static constexpr T round_error() {                                                         \
            return T(0.5f);                                                                        \
        }                                                                                          \
    };
MSL_FLOAT_LIMITS(float, FLT_MAX, FLT_MIN, FLT_EPSILON, 24)
MSL_FLOAT_LIMITS(half, 65504.0f, 6.103515625e-05f, 9.765625e-04f, 11)
#ifdef MSL_BFLOAT
MSL_FLOAT_LIMITS(bfloat, 3.38953139e38f, FLT_MIN, 7.8125e-03f, 8)
#endif
#undef MSL_FLOAT_LIMITS
template <typename T, int N> struct _numeric_limits_impl<vec<T, N>> { /* by element */
    static vec<T, N> max() {
        return vec<T, N>(_numeric_limits_impl<T>::max());
    }
    static vec<T, N> min() {
        return vec<T, N>(_numeric_limits_impl<T>::min());
    }
    static vec<T, N> lowest() {
        return vec<T, N>(_numeric_limits_impl<T>::lowest());
    }
};
template <typename T> struct numeric_limits : _numeric_limits_impl<T> {};

/* --- precise:: and fast:: name the same functions away from Apple --- */

#define MSL_BOTH                                                                                   \
    using metal::abs, metal::fabs, metal::floor, metal::ceil, metal::trunc, metal::round;          \
    using metal::rint, metal::fract, metal::sqrt, metal::rsqrt, metal::sign, metal::saturate;      \
    using metal::min, metal::max, metal::fmin, metal::fmax, metal::fmod, metal::clamp;             \
    using metal::exp, metal::exp10, metal::log, metal::log2, metal::log10;                         \
    using metal::pow, metal::powr, metal::sin, metal::cos, metal::tan, metal::asin, metal::acos;   \
    using metal::atan, metal::atan2, metal::sinh, metal::cosh, metal::tanh, metal::asinh;          \
    using metal::acosh, metal::atanh, metal::sinpi, metal::cospi, metal::tanpi, metal::divide;     \
    using metal::smoothstep, metal::step, metal::mix, metal::fma, metal::sincos, metal::normalize, \
        metal::length, metal::distance;
namespace precise {
MSL_BOTH
using metal::exp2;
}
namespace fast {
MSL_BOTH
#ifndef MSL_OWN_FAST_EXP2
using metal::exp2;
#endif
}
#undef MSL_BOTH

#undef MSL_BFLOAT_1
#undef MSL_BFLOAT_2
#undef MSL_BFLOAT_3
#undef MSL_BFLOAT_TEST
#undef MSL_LIFT_1
#undef MSL_LIFT_1_TO
#undef MSL_LIFT_2
#undef MSL_LIFT_2_TO
#undef MSL_LIFT_3
#undef MSL_LIFT_3_TO
#undef MSL_FLOAT_1
#undef MSL_FLOAT_2
#undef MSL_FLOAT_3
#undef MSL_INTEGER
#undef MSL_UNSIGNED
#undef MSL_CLZ_8
#undef MSL_CLZ_16
#undef MSL_TEST

} // namespace metal

#endif
