/* library.h — functions of <metal_stdlib> that other people's kernels call, on every type that they
 * have there. Included by <metal_stdlib>, after functions.h and traits.h.
 */
#ifndef METAL_LLM_MSL_SIMT_LIBRARY_H
#define METAL_LLM_MSL_SIMT_LIBRARY_H

#define METAL_FUNC       inline
#define METAL_INTERNAL   inline
#define METAL_CONST      __attribute__((const))
#define METAL_PURE       __attribute__((pure))

namespace std { /* where C++ looks for it */
template <typename T> class initializer_list {
    const T *elements;
    size_t count;

public:
    constexpr initializer_list() : elements(nullptr), count(0) {}
    constexpr size_t size() const {
        return count;
    }
    constexpr const T *begin() const {
        return elements;
    }
    constexpr const T *end() const {
        return elements + count;
    }
};
} // namespace std

using metal::as_type; /* a word of the language itself */

namespace metal {

using std::initializer_list;

/* --- arguments of different types --- */

/* Of two numbers: the floating one, of two floating ones the wider. */
template <typename T, typename U>
using mixed_t = conditional_t<is_floating_point_v<T>, conditional_t<is_floating_point_v<U>, float, T>,
                              conditional_t<is_floating_point_v<U>, U, decltype(T(0) + U(0))>>;
template <typename T, typename U>
using if_mixed_t = enable_if_t<is_arithmetic_v<T> && is_arithmetic_v<U> && !is_same_v<T, U>, mixed_t<T, U>>;
/* The same where integers alone are floats. */
template <typename T, typename U>
using if_mixed_float_t =
    enable_if_t<is_arithmetic_v<T> && is_arithmetic_v<U> && !is_same_v<T, U>,
                conditional_t<is_floating_point_v<mixed_t<T, U>>, mixed_t<T, U>, float>>;

#define SIMT_MIXED(name, Result)                                                                   \
    template <typename T, typename U, typename M = Result<T, U>> MSL_INLINE M name(T x, U y) {     \
        return name(M(x), M(y));                                                                   \
    }
SIMT_MIXED(min, if_mixed_t)
SIMT_MIXED(max, if_mixed_t)
SIMT_MIXED(fmin, if_mixed_float_t)
SIMT_MIXED(fmax, if_mixed_float_t)
SIMT_MIXED(fmod, if_mixed_float_t)
SIMT_MIXED(pow, if_mixed_float_t)
SIMT_MIXED(powr, if_mixed_float_t)
SIMT_MIXED(atan2, if_mixed_float_t)
SIMT_MIXED(step, if_mixed_float_t)
SIMT_MIXED(fdim, if_mixed_float_t)
SIMT_MIXED(copysign, if_mixed_float_t)
SIMT_MIXED(divide, if_mixed_float_t)
#undef SIMT_MIXED

#define SIMT_MIXED_3(name, Result)                                                                 \
    template <typename T, typename U, typename V,                                                  \
              typename M = enable_if_t<!(is_same_v<T, U> && is_same_v<U, V>) &&                    \
                                           is_arithmetic_v<T> && is_arithmetic_v<U> &&             \
                                           is_arithmetic_v<V>,                                     \
                                       Result<Result<T, U>, V>>>                                   \
    MSL_INLINE M name(T x, U y, V z) {                                                             \
        return name(M(x), M(y), M(z));                                                             \
    }
SIMT_MIXED_3(clamp, mixed_t)
SIMT_MIXED_3(mix, mixed_t)
SIMT_MIXED_3(fma, mixed_t)
SIMT_MIXED_3(smoothstep, mixed_t)
#undef SIMT_MIXED_3

/* Of vectors of one type ours is what a call means, not a template `T name(T, T)` of the kernel's:
 * Metal's are no templates. */
template <typename T> struct operand {
    T value;
    MSL_INLINE operator T() const {
        return value;
    }
};
#define SIMT_ALIKE_2(name)                                                                         \
    template <typename T, int N>                                                                   \
    MSL_INLINE auto name(vec<T, N> x, vec<T, N> y)                                                 \
        ->decltype(name(x, operand<vec<T, N>>{y})) {                                               \
        return name(x, operand<vec<T, N>>{y});                                                     \
    }
#define SIMT_ALIKE_3(name)                                                                         \
    template <typename T, int N>                                                                   \
    MSL_INLINE auto name(vec<T, N> x, vec<T, N> y, vec<T, N> z)                                    \
        ->decltype(name(x, operand<vec<T, N>>{y}, operand<vec<T, N>>{z})) {                        \
        return name(x, operand<vec<T, N>>{y}, operand<vec<T, N>>{z});                              \
    }
SIMT_ALIKE_2(dot)
SIMT_ALIKE_2(min)
SIMT_ALIKE_2(max)
SIMT_ALIKE_2(fmin)
SIMT_ALIKE_2(fmax)
SIMT_ALIKE_2(fmod)
SIMT_ALIKE_2(pow)
SIMT_ALIKE_2(powr)
SIMT_ALIKE_2(atan2)
SIMT_ALIKE_2(step)
SIMT_ALIKE_2(distance)
SIMT_ALIKE_3(clamp)
SIMT_ALIKE_3(mix)
SIMT_ALIKE_3(fma)
SIMT_ALIKE_3(smoothstep)
#undef SIMT_ALIKE_2
#undef SIMT_ALIKE_3

/* A number before a vector: step(0.5f, v). */
#define SIMT_NUMBER_FIRST(name)                                                                    \
    template <typename S, typename T, int N, enable_if_t<is_arithmetic_v<S>, int> = 0>             \
    MSL_INLINE vec<T, N> name(S x, vec<T, N> y) {                                                  \
        return name(vec<T, N>(T(x)), y);                                                           \
    }
SIMT_NUMBER_FIRST(min)
SIMT_NUMBER_FIRST(max)
SIMT_NUMBER_FIRST(fmin)
SIMT_NUMBER_FIRST(fmax)
SIMT_NUMBER_FIRST(step)
SIMT_NUMBER_FIRST(pow)
SIMT_NUMBER_FIRST(powr)
SIMT_NUMBER_FIRST(fmod)
SIMT_NUMBER_FIRST(atan2)
#undef SIMT_NUMBER_FIRST
template <typename A, typename B, typename T, int N,
          enable_if_t<is_arithmetic_v<A> && is_arithmetic_v<B>, int> = 0>
MSL_INLINE vec<T, N> smoothstep(A low, B high, vec<T, N> x) {
    return smoothstep(vec<T, N>(T(low)), vec<T, N>(T(high)), x);
}

/* Of an integer; the empty pack makes a kernel's own template of the same name the better match. */
#define SIMT_INTEGER_1(name)                                                                       \
    template <typename T, typename... Nothing,                                                     \
              enable_if_t<__is_integral(T) && sizeof...(Nothing) == 0, int> = 0>                   \
    MSL_INLINE float name(T x, Nothing...) {                                                       \
        return name(float(x));                                                                     \
    }
SIMT_INTEGER_1(exp)
SIMT_INTEGER_1(exp2)
SIMT_INTEGER_1(exp10)
SIMT_INTEGER_1(log)
SIMT_INTEGER_1(log2)
SIMT_INTEGER_1(log10)
SIMT_INTEGER_1(sqrt)
SIMT_INTEGER_1(rsqrt)
SIMT_INTEGER_1(sin)
SIMT_INTEGER_1(cos)
SIMT_INTEGER_1(tan)
SIMT_INTEGER_1(asin)
SIMT_INTEGER_1(acos)
SIMT_INTEGER_1(atan)
SIMT_INTEGER_1(sinh)
SIMT_INTEGER_1(cosh)
SIMT_INTEGER_1(tanh)
SIMT_INTEGER_1(asinh)
SIMT_INTEGER_1(acosh)
SIMT_INTEGER_1(atanh)
SIMT_INTEGER_1(floor)
SIMT_INTEGER_1(ceil)
SIMT_INTEGER_1(round)
SIMT_INTEGER_1(trunc)
SIMT_INTEGER_1(rint)
SIMT_INTEGER_1(fabs)
#undef SIMT_INTEGER_1
template <typename T, typename... Nothing,
          enable_if_t<__is_integral(T) && !is_same_v<T, bool> && sizeof...(Nothing) == 0, int> = 0>
MSL_INLINE T sign(T x, Nothing...) {
    return T((x > T(0)) - (x < T(0)));
}
MSL_INLINE bool abs(bool x) {
    return x;
}
MSL_INLINE bool min(bool x, bool y) {
    return x && y;
}
MSL_INLINE bool max(bool x, bool y) {
    return x || y;
}
#define SIMT_TEST(name, value)                                                                     \
    template <typename T, enable_if_t<__is_integral(T), int> = 0> MSL_INLINE bool name(T) {        \
        return value;                                                                              \
    }
SIMT_TEST(isnan, false)
SIMT_TEST(isinf, false)
SIMT_TEST(isfinite, true)
#undef SIMT_TEST

/* --- three operands, and elements of vectors --- */

template <typename T> MSL_INLINE T fmin3(T x, same<T> y, same<T> z) {
    return fmin(x, fmin(y, z));
}
template <typename T> MSL_INLINE T fmax3(T x, same<T> y, same<T> z) {
    return fmax(x, fmax(y, z));
}
template <typename T> MSL_INLINE T fmedian3(T x, same<T> y, same<T> z) {
    return fmax(fmin(x, y), fmin(fmax(x, y), z));
}
template <typename T, int N> MSL_INLINE vec<bool, N> isunordered(vec<T, N> x, same<vec<T, N>> y) {
    return isnan(x) || isnan(y);
}
template <typename T, int N> MSL_INLINE vec<bool, N> isordered(vec<T, N> x, same<vec<T, N>> y) {
    return !(isnan(x) || isnan(y));
}
template <typename T> MSL_INLINE bool isunordered(T x, same<T> y) {
    return isnan(x) || isnan(y);
}
template <typename T, int N> MSL_INLINE vec<int, N> ilogb(vec<T, N> x) {
    vec<int, N> result;
    for (int i = 0; i < N; i++) result[i] = ilogb(float(x[i]));
    return result;
}
MSL_INLINE half frexp(half x, int &exponent) {
    return half(frexp(float(x), exponent));
}
template <typename T, int N> MSL_INLINE vec<T, N> frexp(vec<T, N> x, vec<int, N> &exponent) {
    for (int i = 0; i < N; i++) x[i] = T(frexp(float(x[i]), exponent[i]));
    return x;
}
MSL_INLINE half ldexp(half x, int exponent) {
    return half(ldexp(float(x), exponent));
}
template <typename T, enable_if_t<is_floating_point_v<T>, int> = 0> MSL_INLINE T mad(T x, T y, T z) {
    return x * y + z;
}
template <typename T> MSL_INLINE T select(T a, same<T> b, same<T> condition) {
    return condition ? b : a;
}
/* By the highest bit of the condition's elements. */
template <typename T, typename C, int N, enable_if_t<__is_integral(C) && !is_same_v<C, bool>, int> = 0>
MSL_INLINE vec<T, N> select(vec<T, N> a, same<vec<T, N>> b, const vec<C, N> &condition) {
    for (int i = 0; i < N; i++) a[i] = condition[i] >> (8 * sizeof(C) - 1) & 1 ? b[i] : a[i];
    return a;
}
template <typename T, int N> MSL_INLINE vec<T, N> faceforward(vec<T, N> n, same<vec<T, N>> i, same<vec<T, N>> nref) {
    return dot(nref, i) < T(0) ? n : -n;
}
template <typename T, int N> MSL_INLINE vec<T, N> refract(vec<T, N> i, same<vec<T, N>> n, same<T> eta) {
    T cosine = dot(n, i), k = T(1) - eta * eta * (T(1) - cosine * cosine);
    return k < T(0) ? vec<T, N>(T(0)) : eta * i - (eta * cosine + sqrt(k)) * n;
}

/* --- integers of every size --- */

template <typename T> using if_integer_t = enable_if_t<__is_integral(T) && !is_same_v<T, bool>, T>;
template <typename T> using wide_t =
    conditional_t<is_unsigned_v<T>, conditional_t<sizeof(T) == 8, unsigned __int128, ulong>,
                  conditional_t<sizeof(T) == 8, __int128, long>>;

template <typename T> MSL_INLINE if_integer_t<T> reverse_bits(T x) {
    make_unsigned_t<T> in = x, out = 0;
    for (uint i = 0; i < 8 * sizeof x; i++) out |= (in >> i & 1) << (8 * sizeof x - 1 - i);
    return T(out);
}
template <typename T> MSL_INLINE if_integer_t<T> extract_bits(T x, uint offset, uint bits) {
    if (bits == 0) return 0;
    return T(make_unsigned_t<T>(x) << (8 * sizeof x - bits - offset)) >> (8 * sizeof x - bits);
}
template <typename T> MSL_INLINE if_integer_t<T> insert_bits(T base, T insert, uint offset, uint bits) {
    ulong mask = (bits == 64 ? ~0ul : (1ul << bits) - 1) << offset;
    return T((ulong(base) & ~mask) | (ulong(insert) << offset & mask));
}
template <typename T> MSL_INLINE if_integer_t<T> addsat(T x, T y) {
    wide_t<T> sum = wide_t<T>(x) + y;
    return sum > numeric_limits<T>::max() ? numeric_limits<T>::max()
           : sum < numeric_limits<T>::min() ? numeric_limits<T>::min() : T(sum);
}
template <typename T> MSL_INLINE if_integer_t<T> subsat(T x, T y) {
    if (is_unsigned_v<T>) return x < y ? T(0) : T(x - y);
    wide_t<T> sum = wide_t<T>(x) - y;
    return sum > numeric_limits<T>::max() ? numeric_limits<T>::max()
           : sum < numeric_limits<T>::min() ? numeric_limits<T>::min() : T(sum);
}
template <typename T> MSL_INLINE if_integer_t<T> hadd(T x, T y) {
    return T((wide_t<T>(x) + y) >> 1);
}
template <typename T> MSL_INLINE if_integer_t<T> rhadd(T x, T y) {
    return T((wide_t<T>(x) + y + 1) >> 1);
}
/* A vector shifted by one of another type: signed by unsigned. */
#define SIMT_SHIFT(op)                                                                             \
    template <typename T, typename U, int N, enable_if_t<!is_same_v<T, U>, int> = 0>               \
    MSL_INLINE vec<T, N> operator op(vec<T, N> a, vec<U, N> b) {                                   \
        for (int i = 0; i < N; i++) a[i] = T(a[i] op b[i]);                                        \
        return a;                                                                                  \
    }
SIMT_SHIFT(<<)
SIMT_SHIFT(>>)
#undef SIMT_SHIFT

template <typename T> MSL_INLINE if_integer_t<T> mulhi(T x, T y) {
    return T(wide_t<T>(x) * y >> 8 * sizeof(T));
}
template <typename T> MSL_INLINE if_integer_t<T> madsat(T x, T y, T z) {
    wide_t<T> sum = wide_t<T>(x) * y + z;
    return sum > numeric_limits<T>::max() ? numeric_limits<T>::max()
           : sum < numeric_limits<T>::min() ? numeric_limits<T>::min() : T(sum);
}
template <typename T> MSL_INLINE enable_if_t<__is_integral(T) && !is_unsigned_v<T>, T> rotate(T x, T bits) {
    return T(rotate(make_unsigned_t<T>(x), make_unsigned_t<T>(bits)));
}
#define SIMT_SIGNED(name)                                                                          \
    template <typename T>                                                                          \
    MSL_INLINE enable_if_t<__is_integral(T) && !is_unsigned_v<T>, T> name(T x) {                   \
        return T(name(make_unsigned_t<T>(x)));                                                     \
    }
SIMT_SIGNED(popcount)
SIMT_SIGNED(clz)
SIMT_SIGNED(ctz)
#undef SIMT_SIGNED

#define SIMT_LIFT_1(name)                                                                          \
    template <typename T, int N> MSL_INLINE vec<T, N> name(vec<T, N> x) {                          \
        for (int i = 0; i < N; i++) x[i] = name(x[i]);                                             \
        return x;                                                                                  \
    }
#define SIMT_LIFT_2(name)                                                                          \
    template <typename T, int N> MSL_INLINE vec<T, N> name(vec<T, N> x, same<vec<T, N>> y) {       \
        for (int i = 0; i < N; i++) x[i] = name(x[i], y[i]);                                       \
        return x;                                                                                  \
    }
#define SIMT_LIFT_3(name)                                                                          \
    template <typename T, int N>                                                                   \
    MSL_INLINE vec<T, N> name(vec<T, N> x, same<vec<T, N>> y, same<vec<T, N>> z) {                 \
        for (int i = 0; i < N; i++) x[i] = name(x[i], y[i], z[i]);                                 \
        return x;                                                                                  \
    }
SIMT_LIFT_1(reverse_bits)
SIMT_LIFT_2(rotate)
SIMT_LIFT_2(addsat)
SIMT_LIFT_2(subsat)
SIMT_LIFT_2(hadd)
SIMT_LIFT_2(rhadd)
SIMT_LIFT_2(mulhi)
SIMT_LIFT_2(mul24)
SIMT_LIFT_3(mad24)
SIMT_LIFT_3(madsat)
#undef SIMT_LIFT_1
#undef SIMT_LIFT_2
#undef SIMT_LIFT_3
template <typename T, int N>
MSL_INLINE vec<T, N> extract_bits(vec<T, N> x, uint offset, uint bits) {
    for (int i = 0; i < N; i++) x[i] = extract_bits(x[i], offset, bits);
    return x;
}
template <typename T, int N>
MSL_INLINE vec<T, N> insert_bits(vec<T, N> x, same<vec<T, N>> y, uint offset, uint bits) {
    for (int i = 0; i < N; i++) x[i] = insert_bits(x[i], y[i], offset, bits);
    return x;
}
template <typename T, int N> MSL_INLINE vec<T, N> absdiff(vec<T, N> x, same<vec<T, N>> y) {
    for (int i = 0; i < N; i++) x[i] = absdiff(x[i], y[i]);
    return x;
}

/* --- packed vectors: as what they become --- */

#define SIMT_PACKED_1(name)                                                                        \
    template <typename T, int N> MSL_INLINE auto name(const packed_vec<T, N> &x) {                 \
        return name(vec<T, N>(x));                                                                 \
    }
SIMT_PACKED_1(length)
SIMT_PACKED_1(length_squared)
SIMT_PACKED_1(normalize)
SIMT_PACKED_1(abs)
SIMT_PACKED_1(floor)
#undef SIMT_PACKED_1
#define SIMT_PACKED_2(name)                                                                        \
    template <typename T, int N>                                                                   \
    MSL_INLINE auto name(const packed_vec<T, N> &x, const packed_vec<T, N> &y) {                   \
        return name(vec<T, N>(x), vec<T, N>(y));                                                   \
    }                                                                                              \
    template <typename T, int N>                                                                   \
    MSL_INLINE auto name(const vec<T, N> &x, const packed_vec<T, N> &y) {                          \
        return name(x, vec<T, N>(y));                                                              \
    }                                                                                              \
    template <typename T, int N>                                                                   \
    MSL_INLINE auto name(const packed_vec<T, N> &x, const vec<T, N> &y) {                          \
        return name(vec<T, N>(x), y);                                                              \
    }
SIMT_PACKED_2(dot)
SIMT_PACKED_2(cross)
SIMT_PACKED_2(distance)
#undef SIMT_PACKED_2

/* --- values packed into integers --- */

/* The same from and to half. */
#define SIMT_UNPACKED(name, N, U)                                                                  \
    MSL_INLINE vec<half, N> unpack_##name##_to_half(U value) {                                     \
        return vec<half, N>(unpack_##name##_to_float(value));                                      \
    }
#define SIMT_PACKED(name, N, U)                                                                    \
    MSL_INLINE U pack_half_to_##name(vec<half, N> value) {                                         \
        return pack_float_to_##name(vec<float, N>(value));                                         \
    }

#define SIMT_UNPACK(name, N, bits, expression)                                                     \
    MSL_INLINE vec<float, N> unpack_##name##_to_float(uint value) {                                \
        vec<float, N> result;                                                                      \
        for (int i = 0; i < N; i++) {                                                              \
            uint x = (value >> bits * i) & ((1ul << bits) - 1);                                    \
            result[i] = expression;                                                                \
        }                                                                                          \
        return result;                                                                             \
    }                                                                                              \
    SIMT_UNPACKED(name, N, uint)
SIMT_UNPACK(unorm4x8, 4, 8, float(x) / 255.0f)
SIMT_UNPACK(snorm4x8, 4, 8, fmax(float(char(x)) / 127.0f, -1.0f))
SIMT_UNPACK(unorm2x16, 2, 16, float(x) / 65535.0f)
SIMT_UNPACK(snorm2x16, 2, 16, fmax(float(short(x)) / 32767.0f, -1.0f))
#undef SIMT_UNPACK
#define SIMT_PACK(name, N, bits, low, scale)                                                       \
    MSL_INLINE uint pack_float_to_##name(vec<float, N> value) {                                    \
        uint result = 0;                                                                           \
        for (int i = 0; i < N; i++)                                                                \
            result |= (uint(int(rint(clamp(value[i], low, 1.0f) * scale))) & ((1u << bits) - 1))   \
                      << bits * i;                                                                 \
        return result;                                                                             \
    }                                                                                              \
    SIMT_PACKED(name, N, uint)
SIMT_PACK(unorm4x8, 4, 8, 0.0f, 255.0f)
SIMT_PACK(snorm4x8, 4, 8, -1.0f, 127.0f)
SIMT_PACK(unorm2x16, 2, 16, 0.0f, 65535.0f)
SIMT_PACK(snorm2x16, 2, 16, -1.0f, 32767.0f)

/* Colours along the curve of sRGB, alpha as it is. */
MSL_INLINE float4 unpack_unorm4x8_srgb_to_float(uint value) {
    float4 c = unpack_unorm4x8_to_float(value);
    for (int i = 0; i < 3; i++)
        c[i] = c[i] <= 0.04045f ? c[i] / 12.92f : pow((c[i] + 0.055f) / 1.055f, 2.4f);
    return c;
}
MSL_INLINE uint pack_float_to_srgb_unorm4x8(float4 c) {
    for (int i = 0; i < 3; i++)
        c[i] = c[i] < 0.0031308f ? 12.92f * c[i] : 1.055f * pow(c[i], 1 / 2.4f) - 0.055f;
    return pack_float_to_unorm4x8(c);
}
SIMT_UNPACKED(unorm4x8_srgb, 4, uint)
SIMT_PACKED(srgb_unorm4x8, 4, uint)

MSL_INLINE float4 unpack_unorm10a2_to_float(uint value) {
    return float4(uint4(value, value >> 10, value >> 20, value >> 30) & uint4(1023, 1023, 1023, 3)) /
           float4(1023, 1023, 1023, 3);
}
MSL_INLINE uint pack_float_to_unorm10a2(float4 c) {
    uint4 x = uint4(rint(saturate(c) * float4(1023, 1023, 1023, 3)));
    return x[0] | x[1] << 10 | x[2] << 20 | x[3] << 30;
}
SIMT_UNPACKED(unorm10a2, 4, uint)
SIMT_PACKED(unorm10a2, 4, uint)

MSL_INLINE float3 unpack_unorm565_to_float(ushort value) {
    return float3(uint3(value >> 11, value >> 5, value) & uint3(31, 63, 31)) / float3(31, 63, 31);
}
MSL_INLINE ushort pack_float_to_unorm565(float3 c) {
    uint3 x = uint3(rint(saturate(c) * float3(31, 63, 31)));
    return ushort(x[0] << 11 | x[1] << 5 | x[2]);
}
SIMT_UNPACKED(unorm565, 3, ushort)
SIMT_PACKED(unorm565, 3, ushort)
#undef SIMT_UNPACKED
#undef SIMT_PACKED
#undef SIMT_PACK

/* --- fences --- */

/* All loads and stores happen in the order of the threads here; a checker is told what a fence orders. */
MSL_INLINE void atomic_thread_fence(mem_flags flags, memory_order order,
                                    thread_scope = thread_scope_device) {
    (void)flags, (void)order;
    msl_watch_fence(int(flags), int(order));
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

namespace precise {
using metal::fmin3, metal::fmax3, metal::fmedian3, metal::fdim, metal::copysign, metal::ldexp;
using metal::frexp, metal::modf, metal::nextafter, metal::ilogb, metal::reflect, metal::refract;
using metal::distance_squared, metal::length_squared, metal::dot, metal::cross, metal::select;
using metal::min3, metal::max3, metal::median3, metal::isnan, metal::isinf, metal::isfinite;
using metal::faceforward, metal::isnormal, metal::signbit;
} // namespace precise
namespace fast {
using namespace metal::precise;
} // namespace fast

} // namespace metal

/* Names after the functions, where `#pragma METAL internals : enable` stands. The last argument of
 * many says whether fast math may be used. */
#define SIMT_INTERNAL_1(name)                                                                      \
    template <typename T> MSL_INLINE auto __metal_##name(T x, bool = false) {                      \
        return metal::name(x);                                                                     \
    }
#define SIMT_INTERNAL_2(name)                                                                      \
    template <typename T> MSL_INLINE auto __metal_##name(T x, metal::same<T> y, bool = false) {    \
        return metal::name(x, y);                                                                  \
    }
#define SIMT_INTERNAL_3(name)                                                                      \
    template <typename T>                                                                          \
    MSL_INLINE auto __metal_##name(T x, metal::same<T> y, metal::same<T> z, bool = false) {        \
        return metal::name(x, y, z);                                                               \
    }
SIMT_INTERNAL_1(fabs)
SIMT_INTERNAL_1(acos)
SIMT_INTERNAL_1(acosh)
SIMT_INTERNAL_1(asin)
SIMT_INTERNAL_1(asinh)
SIMT_INTERNAL_1(atan)
SIMT_INTERNAL_1(atanh)
SIMT_INTERNAL_1(ceil)
SIMT_INTERNAL_1(cos)
SIMT_INTERNAL_1(cosh)
SIMT_INTERNAL_1(cospi)
SIMT_INTERNAL_1(exp)
SIMT_INTERNAL_1(exp10)
SIMT_INTERNAL_1(exp2)
SIMT_INTERNAL_1(floor)
SIMT_INTERNAL_1(fract)
SIMT_INTERNAL_1(log)
SIMT_INTERNAL_1(log10)
SIMT_INTERNAL_1(log2)
SIMT_INTERNAL_1(rint)
SIMT_INTERNAL_1(round)
SIMT_INTERNAL_1(rsqrt)
SIMT_INTERNAL_1(sin)
SIMT_INTERNAL_1(sinh)
SIMT_INTERNAL_1(sinpi)
SIMT_INTERNAL_1(sqrt)
SIMT_INTERNAL_1(tan)
SIMT_INTERNAL_1(tanh)
SIMT_INTERNAL_1(tanpi)
SIMT_INTERNAL_1(trunc)
SIMT_INTERNAL_1(abs)
SIMT_INTERNAL_1(sign)
SIMT_INTERNAL_1(popcount)
SIMT_INTERNAL_1(clz)
SIMT_INTERNAL_1(ctz)
SIMT_INTERNAL_1(reverse_bits)
SIMT_INTERNAL_1(isnan)
SIMT_INTERNAL_1(isinf)
SIMT_INTERNAL_1(isfinite)
SIMT_INTERNAL_1(isnormal)
SIMT_INTERNAL_1(signbit)
SIMT_INTERNAL_2(atan2)
SIMT_INTERNAL_2(divide)
SIMT_INTERNAL_2(fmax)
SIMT_INTERNAL_2(fmin)
SIMT_INTERNAL_2(fmod)
SIMT_INTERNAL_2(nextafter)
SIMT_INTERNAL_2(pow)
SIMT_INTERNAL_2(powr)
SIMT_INTERNAL_2(copysign)
SIMT_INTERNAL_2(fdim)
SIMT_INTERNAL_2(step)
SIMT_INTERNAL_3(fma)
SIMT_INTERNAL_3(fmax3)
SIMT_INTERNAL_3(fmin3)
SIMT_INTERNAL_3(fmedian3)
SIMT_INTERNAL_3(mix)
SIMT_INTERNAL_3(smoothstep)
SIMT_INTERNAL_3(clamp)
#undef SIMT_INTERNAL_1
#undef SIMT_INTERNAL_2
#undef SIMT_INTERNAL_3
template <typename T> MSL_INLINE T __metal_frexp(T x, int *exponent) {
    return metal::frexp(x, *exponent);
}
template <typename T> MSL_INLINE T __metal_ldexp(T x, int exponent, bool = false) {
    return metal::ldexp(x, exponent);
}
#define __METAL_FAST_MATH__    false
#define __METAL_PRECISE_MATH__ false
#define __METAL_MAYBE_FAST_MATH__ false

#endif
