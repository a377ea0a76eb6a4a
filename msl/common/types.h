/* types.h — Metal's scalar and vector types, for every target away from Apple.
 *
 * A target whose compiler lacks _Float16 defines MSL_HALF as its own half before including this.
 * No host header is included here or in functions.h, so that no foreign name reaches a kernel.
 */
#ifndef METAL_LLM_MSL_TYPES_H
#define METAL_LLM_MSL_TYPES_H

#ifndef MSL_HALF
#define MSL_HALF _Float16
#endif

/* Vectors and functions vanish into the kernel even where its own functions are kept apart. */
#ifndef MSL_INLINE
#define MSL_INLINE inline __attribute__((always_inline))
#endif

typedef MSL_HALF half;
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;

typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long int64_t;
typedef uchar uint8_t;
typedef ushort uint16_t;
typedef uint uint32_t;
typedef ulong uint64_t;
typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef long intptr_t;
typedef ulong uintptr_t;

#ifdef __clang__
#include "bfloat.h"
#endif

#pragma clang diagnostic ignored "-Wuser-defined-literals" /* only Metal's own have no underscore */
constexpr half operator""h(long double value) {
    return half(value);
}

#define INFINITY  __builtin_inff()
#define NAN       __builtin_nanf("")
#define MAXFLOAT  3.402823466e+38f
#define HUGE_VALF INFINITY
#define HUGE_VALH half(HUGE_VALF)
#define MAXHALF   half(65504.0f)

#define FLT_DIG        6
#define FLT_MANT_DIG   24
#define FLT_MAX_10_EXP 38
#define FLT_MAX_EXP    128
#define FLT_MIN_10_EXP (-37)
#define FLT_MIN_EXP    (-125)
#define FLT_RADIX      2
#define FLT_MAX        MAXFLOAT
#define FLT_MIN        1.175494351e-38f
#define FLT_EPSILON    1.192092896e-07f
#define FLT_DECIMAL_DIG 9
#define FP_ILOGB0      INT_MIN
#define FP_ILOGBNAN    INT_MIN
#define HALF_DIG       2
#define HALF_MANT_DIG  11
#define HALF_MAX_10_EXP 4
#define HALF_MAX_EXP   16
#define HALF_MIN_10_EXP (-4)
#define HALF_MIN_EXP   (-13)
#define HALF_RADIX     2
#define HALF_MAX       half(65504.0f)
#define HALF_MIN       half(6.103515625e-05f)
#define HALF_EPSILON   half(9.765625e-04f)

#define M_E_F        2.718281828459045f
#define M_LOG2E_F    1.442695040888963f
#define M_LOG10E_F   0.434294481903252f
#define M_LN2_F      0.693147180559945f
#define M_LN10_F     2.302585092994046f
#define M_PI_F       3.141592653589793f
#define M_PI_2_F     1.570796326794897f
#define M_PI_4_F     0.785398163397448f
#define M_1_PI_F     0.318309886183791f
#define M_2_PI_F     0.636619772367581f
#define M_2_SQRTPI_F 1.128379167095513f
#define M_SQRT2_F    1.414213562373095f
#define M_SQRT1_2_F  0.707106781186548f
#define M_E_H        half(M_E_F)
#define M_LOG2E_H    half(M_LOG2E_F)
#define M_LOG10E_H   half(M_LOG10E_F)
#define M_LN2_H      half(M_LN2_F)
#define M_LN10_H     half(M_LN10_F)
#define M_PI_H       half(M_PI_F)
#define M_PI_2_H     half(M_PI_2_F)
#define M_PI_4_H     half(M_PI_4_F)
#define M_1_PI_H     half(M_1_PI_F)
#define M_2_PI_H     half(M_2_PI_F)
#define M_2_SQRTPI_H half(M_2_SQRTPI_F)
#define M_SQRT2_H    half(M_SQRT2_F)
#define M_SQRT1_2_H  half(M_SQRT1_2_F)

#define CHAR_BIT   8
#define CHAR_MAX   127
#define CHAR_MIN   (-128)
#define SCHAR_MAX  127
#define SCHAR_MIN  (-128)
#define UCHAR_MAX  255
#define SHRT_MAX   32767
#define SHRT_MIN   (-32768)
#define USHRT_MAX  65535
#define INT_MAX    2147483647
#define INT_MIN    (-2147483647 - 1)
#define UINT_MAX   4294967295u
#define LONG_MAX   9223372036854775807l
#define LONG_MIN   (-9223372036854775807l - 1)
#define ULONG_MAX  18446744073709551615ul

namespace metal {

enum class mem_flags {
    mem_none = 0,
    mem_device = 1,
    mem_threadgroup = 2,
    mem_texture = 4,
    mem_threadgroup_imageblock = 8,
};

constexpr mem_flags operator|(mem_flags a, mem_flags b) {
    return mem_flags(int(a) | int(b));
}

/* A target may want vectors moved in words. */
#ifndef MSL_AS_WORDS
#define MSL_AS_WORDS(T, N)
#endif

/* The elements, by name and by index. Those of other extents are clang's extended vectors, which
 * have no names. */
template <typename T, int N> struct alignas(N * sizeof(T)) elements {
    T element[N];
};

template <typename T> struct alignas(2 * sizeof(T)) elements<T, 2> {
    union {
        MSL_AS_WORDS(T, 2)
        T element[2];
        struct { T x, y; };
        struct { T r, g; };
    };
};

template <typename T> struct alignas(4 * sizeof(T)) elements<T, 3> {
    union {
        T element[3];
        struct { T x, y, z; };
        struct { T r, g, b; };
    };
};

template <typename T> struct alignas(4 * sizeof(T)) elements<T, 4> {
    union {
        MSL_AS_WORDS(T, 4)
        T element[4];
        struct { T x, y, z, w; };
        struct { T r, g, b, a; };
    };
};

template <typename T, int N> struct vec;
template <typename T, int N> struct packed_vec;

/* U is T, but not to be deduced from braces or a number. */
template <typename T, typename U> struct same_only {};
template <typename T> struct same_only<T, T> {
    typedef int type;
};
#define MSL_ONLY_T(U) typename same_only<U, T>::type = 0

/* Of a copy clang does not check where it lies, of a reference it does. As templates these are no
 * copy constructors and no copy assignment, so that vectors are still handed on as they are and
 * structures of them copied in the line that copies them. */
#ifdef MSL_SPACES
#define MSL_COPY_FROM(space)                                                                       \
    template <typename U, MSL_ONLY_T(U)>                                                           \
    MSL_INLINE vec(const __attribute__((space)) vec<U, N> &other) {                                \
        __builtin_memcpy((void *)this, (const void *)&other, sizeof *this);                        \
    }                                                                                              \
    template <typename U, MSL_ONLY_T(U)>                                                           \
    MSL_INLINE vec &operator=(const __attribute__((space)) vec<U, N> &other) {                     \
        __builtin_memcpy((void *)this, (const void *)&other, sizeof *this);                        \
        return *this;                                                                              \
    }
#define MSL_COPIES                                                                                 \
    vec(const vec &) = default;                                                                    \
    vec &operator=(const vec &) = default;                                                         \
    MSL_COPY_FROM(opencl_global_device)                                                            \
    MSL_COPY_FROM(opencl_global_host)                                                              \
    MSL_COPY_FROM(opencl_local)                                                                    \
    template <typename V, int (*)[__is_same(V, vec) || __is_same(V, vec &) ? 1 : -1] = nullptr>    \
    MSL_INLINE vec &operator=(V &&other) {                                                         \
        __builtin_memcpy((void *)this, (const void *)&other, sizeof *this);                        \
        return *this;                                                                              \
    }
#else
#define MSL_COPIES
#endif

/* Each element to another type; a target may have instructions for some of them. */
template <typename T, typename U, int N> MSL_INLINE void convert_elements(vec<T, N> &to, const vec<U, N> &from) {
    for (int i = 0; i < N; i++) to[i] = T(from[i]);
}

/* T2, T3, T4: float4 is vec<float, 4>. As in Metal a vector of three is as large as one of four, a
 * scalar converts to a vector of equal elements, and element types convert only explicitly. */
template <typename T, int N> struct vec : elements<T, N> {
    vec() = default;
    MSL_COPIES
    /* Templates for the same reason. */
    template <typename U, MSL_ONLY_T(U)>
    MSL_INLINE vec(const volatile vec<U, N> &other) {
        for (int i = 0; i < N; i++) this->element[i] = other.element[i];
    }
    template <int = 0> MSL_INLINE volatile vec &operator=(vec other) volatile {
        for (int i = 0; i < N; i++) this->element[i] = other.element[i];
        return *this;
    }
    MSL_INLINE vec(T value) {
        for (int i = 0; i < N; i++) this->element[i] = value;
    }
    template <typename U> MSL_INLINE explicit vec(vec<U, N> other) {
        convert_elements(*this, other);
    }
    template <typename U> MSL_INLINE explicit vec(const packed_vec<U, N> &other) {
        for (int i = 0; i < N; i++) this->element[i] = T(other[i]);
    }
    /* From scalars and smaller vectors in turn: float4(xy, z, 1.0f). */
    template <typename A, typename B, typename... Rest>
    MSL_INLINE vec(A first, B second, Rest... rest) {
        fill<0>(first, second, rest...);
    }

    MSL_INLINE T &operator[](size_t i) & {
        return this->element[i];
    }
    MSL_INLINE const T &operator[](size_t i) const & {
        return this->element[i];
    }
    MSL_INLINE volatile T &operator[](size_t i) volatile & {
        return this->element[i];
    }
    MSL_INLINE const volatile T &operator[](size_t i) const volatile & {
        return this->element[i];
    }
#ifdef MSL_SWIZZLES
    MSL_SWIZZLES
#endif

private:
    /* In braces there may be fewer; the others are 0. */
    template <int at> MSL_INLINE void fill() {
        for (int i = at; i < N; i++) this->element[i] = T(0);
    }
    template <int at, typename... Rest> MSL_INLINE void fill(T value, Rest... rest) {
        static_assert(at < N, "a vector is made of as many elements as it has");
        this->element[at] = value;
        fill<at + 1>(rest...);
    }
    template <int at, int M, typename... Rest>
    MSL_INLINE void fill(const vec<T, M> &part, Rest... rest) {
        static_assert(at + M <= N, "a vector is made of as many elements as it has");
        for (int i = 0; i < M; i++) this->element[at + i] = part[i];
        fill<at + M>(rest...);
    }
    template <int at, int M, typename... Rest>
    MSL_INLINE void fill(const packed_vec<T, M> &part, Rest... rest) {
        fill<at>(vec<T, M>(part), rest...);
    }

    /* Friends defined in the class take part in conversions, so that 2.0f * v is found. */
#define MSL_BINARY(op)                                                                             \
    friend MSL_INLINE vec operator op(vec a, vec b) {                                \
        vec result;                                                                                \
        for (int i = 0; i < N; i++) result[i] = T(a[i] op b[i]);                                   \
        return result;                                                                             \
    }                                                                                              \
    friend MSL_INLINE vec &operator op##=(vec &a, vec b) {                                         \
        return a = a op b;                                                                         \
    }                                                                                              \
    friend MSL_INLINE volatile vec &operator op##=(volatile vec &a, vec b) {                       \
        return a = vec(a) op b;                                                                    \
    }
    MSL_BINARY(+)
    MSL_BINARY(-)
    MSL_BINARY(*)
    MSL_BINARY(/)
    MSL_BINARY(%)
    MSL_BINARY(&)
    MSL_BINARY(|)
    MSL_BINARY(^)
    MSL_BINARY(<<)
    MSL_BINARY(>>)
#undef MSL_BINARY

#define MSL_COMPARE(op)                                                                            \
    friend MSL_INLINE vec<bool, N> operator op(vec a, vec b) {                       \
        vec<bool, N> result;                                                                       \
        for (int i = 0; i < N; i++) result[i] = a[i] op b[i];                                      \
        return result;                                                                             \
    }
    MSL_COMPARE(==)
    MSL_COMPARE(!=)
    MSL_COMPARE(<)
    MSL_COMPARE(<=)
    MSL_COMPARE(>)
    MSL_COMPARE(>=)
    MSL_COMPARE(&&)
    MSL_COMPARE(||)
#undef MSL_COMPARE

#define MSL_UNARY(op, Result)                                                                      \
    friend MSL_INLINE vec<Result, N> operator op(vec a) {                                   \
        vec<Result, N> result;                                                                     \
        for (int i = 0; i < N; i++) result[i] = Result(op a[i]);                                   \
        return result;                                                                             \
    }
    MSL_UNARY(-, T)
    MSL_UNARY(+, T)
    MSL_UNARY(~, T)
    MSL_UNARY(!, bool)
#undef MSL_UNARY

#define MSL_STEP(op)                                                                               \
    friend MSL_INLINE vec &operator op##op(vec &a) {                                               \
        return a = a op vec(T(1));                                                                 \
    }                                                                                              \
    friend MSL_INLINE vec operator op##op(vec &a, int) {                                           \
        vec before = a;                                                                            \
        a = a op vec(T(1));                                                                        \
        return before;                                                                             \
    }
    MSL_STEP(+)
    MSL_STEP(-)
#undef MSL_STEP
};

template <typename T, int N> struct packed_elements {
    T element[N];
};
template <typename T> struct packed_elements<T, 2> {
    union {
        T element[2];
        struct { T x, y; };
        struct { T r, g; };
    };
};
template <typename T> struct packed_elements<T, 3> {
    union {
        T element[3];
        struct { T x, y, z; };
        struct { T r, g, b; };
    };
};
template <typename T> struct packed_elements<T, 4> {
    union {
        T element[4];
        struct { T x, y, z, w; };
        struct { T r, g, b, a; };
    };
};

/* Three elements without the fourth's padding, and the like: aligned as one element is. */
template <typename T, int N> struct packed_vec : packed_elements<T, N> {
    packed_vec() = default;
    template <typename U, MSL_ONLY_T(U)>
    MSL_INLINE packed_vec(const volatile packed_vec<U, N> &other) {
        for (int i = 0; i < N; i++) this->element[i] = other.element[i];
    }
    template <int = 0> MSL_INLINE volatile packed_vec &operator=(packed_vec other) volatile {
        for (int i = 0; i < N; i++) this->element[i] = other.element[i];
        return *this;
    }
    MSL_INLINE packed_vec(const vec<T, N> &v) {
        for (int i = 0; i < N; i++) this->element[i] = v[i];
    }
    MSL_INLINE explicit packed_vec(T value) : packed_vec(vec<T, N>(value)) {}
    template <typename U> MSL_INLINE explicit packed_vec(const vec<U, N> &v) : packed_vec(vec<T, N>(v)) {}
    template <typename U> MSL_INLINE explicit packed_vec(const packed_vec<U, N> &v)
        : packed_vec(vec<T, N>(v)) {}
    template <typename A, typename B, typename... Rest>
    MSL_INLINE packed_vec(A first, B second, Rest... rest)
        : packed_vec(vec<T, N>(first, second, rest...)) {}
    MSL_INLINE operator vec<T, N>() const volatile {
        vec<T, N> result;
        for (int i = 0; i < N; i++) result[i] = this->element[i];
        return result;
    }
    MSL_INLINE T &operator[](size_t i) & {
        return this->element[i];
    }
    MSL_INLINE const T &operator[](size_t i) const & {
        return this->element[i];
    }
    MSL_INLINE volatile T &operator[](size_t i) volatile & {
        return this->element[i];
    }
    MSL_INLINE const volatile T &operator[](size_t i) const volatile & {
        return this->element[i];
    }
#ifdef MSL_SWIZZLES
    MSL_SWIZZLES
#endif

    typedef vec<T, N> Vec;
    /* Of what else converts to both, neither would be found. */
#define MSL_BINARY(op)                                                                             \
    friend MSL_INLINE auto operator op(const volatile packed_vec &a, const volatile packed_vec &b) {\
        return Vec(a) op Vec(b);                                                                   \
    }                                                                                              \
    friend MSL_INLINE auto operator op(const volatile packed_vec &a, const Vec &b) {               \
        return Vec(a) op b;                                                                        \
    }                                                                                              \
    friend MSL_INLINE auto operator op(const Vec &a, const volatile packed_vec &b) {               \
        return a op Vec(b);                                                                        \
    }                                                                                              \
    friend MSL_INLINE auto operator op(const volatile packed_vec &a, T b) {                        \
        return Vec(a) op Vec(b);                                                                   \
    }                                                                                              \
    friend MSL_INLINE auto operator op(T a, const volatile packed_vec &b) {                        \
        return Vec(a) op Vec(b);                                                                   \
    }
#define MSL_ASSIGN(op)                                                                             \
    MSL_BINARY(op)                                                                                 \
    template <typename U> MSL_INLINE packed_vec &operator op##=(const U &other) {                  \
        return *this = *this op other;                                                             \
    }                                                                                              \
    template <typename U>                                                                          \
    MSL_INLINE volatile packed_vec &operator op##=(const U &other) volatile {                      \
        return *this = *this op other;                                                             \
    }
    MSL_ASSIGN(+)
    MSL_ASSIGN(-)
    MSL_ASSIGN(*)
    MSL_ASSIGN(/)
    MSL_ASSIGN(%)
    MSL_ASSIGN(&)
    MSL_ASSIGN(|)
    MSL_ASSIGN(^)
    MSL_ASSIGN(<<)
    MSL_ASSIGN(>>)
    MSL_BINARY(==)
    MSL_BINARY(!=)
    MSL_BINARY(<)
    MSL_BINARY(<=)
    MSL_BINARY(>)
    MSL_BINARY(>=)
#undef MSL_ASSIGN
#undef MSL_BINARY
    friend MSL_INLINE Vec operator-(const volatile packed_vec &a) {
        return -Vec(a);
    }
};

/* A value's bits as another type of the same size. */
template <typename To, typename From> MSL_INLINE To as_type(From value) {
    static_assert(sizeof(To) == sizeof(From), "as_type needs types of one size");
#ifdef MSL_SPACES /* its vectors assign in their own way */
    To result;
    __builtin_memcpy(&result, &value, sizeof result);
    return result;
#else
    return __builtin_bit_cast(To, value);
#endif
}

} // namespace metal

#define MSL_VECTORS(T)                                                                             \
    typedef metal::vec<T, 2> T##2;                                                                 \
    typedef metal::vec<T, 3> T##3;                                                                 \
    typedef metal::vec<T, 4> T##4;
#define MSL_EACH_TYPE(each)                                                                        \
    each(bool) each(char) each(uchar) each(short) each(ushort) each(int) each(uint) each(long)     \
    each(ulong) each(half) each(float)
MSL_EACH_TYPE(MSL_VECTORS)

#define MSL_PACKED(T)                                                                              \
    typedef metal::packed_vec<T, 2> packed_##T##2;                                                 \
    typedef metal::packed_vec<T, 3> packed_##T##3;                                                 \
    typedef metal::packed_vec<T, 4> packed_##T##4;
MSL_EACH_TYPE(MSL_PACKED)

/* Metal has them in its namespace, too. */
#define MSL_NAMES(T) using ::T##2, ::T##3, ::T##4, ::packed_##T##2, ::packed_##T##3, ::packed_##T##4;
#ifdef MSL_BFLOAT
MSL_VECTORS(bfloat)
MSL_PACKED(bfloat)
#endif
namespace metal {
using ::half, ::uchar, ::ushort, ::uint, ::ulong, ::size_t, ::ptrdiff_t;
using ::int8_t, ::int16_t, ::int32_t, ::int64_t, ::uint8_t, ::uint16_t, ::uint32_t, ::uint64_t;
MSL_EACH_TYPE(MSL_NAMES)
#ifdef MSL_BFLOAT
using ::bfloat;
MSL_NAMES(bfloat)
#endif
} // namespace metal
#undef MSL_VECTORS
#undef MSL_PACKED
#undef MSL_NAMES
#undef MSL_EACH_TYPE

#endif
