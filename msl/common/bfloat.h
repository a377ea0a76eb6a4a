/* bfloat.h — a float's upper half. With an integer it stays one, with a float or a half it becomes a
 * float. Included by types.h.
 */
#ifndef METAL_LLM_MSL_BFLOAT_H
#define METAL_LLM_MSL_BFLOAT_H

#define MSL_BFLOAT

namespace msl {

template <bool condition> struct only_if {};
template <> struct only_if<true> {
    typedef int type;
};
#define MSL_IF_INTEGER(T) typename msl::only_if<__is_integral(T)>::type = 0
#define MSL_IF_FLOAT(T)   typename msl::only_if<__is_same(T, float) || __is_same(T, half)>::type = 0
#define MSL_IF_BFLOAT(T)  typename msl::only_if<__is_same(T, bfloat)>::type = 0

} // namespace msl

struct bfloat {
    ushort bits;

    bfloat() = default;
    constexpr bfloat(float value) : bits(rounded(__builtin_bit_cast(uint, value))) {}
    constexpr bfloat(half value) : bfloat(float(value)) {}
    template <typename T, MSL_IF_INTEGER(T)> constexpr bfloat(T value) : bfloat(float(value)) {}
    /* Out of and into what is volatile; as templates these are not what copies all others. */
    template <typename T, MSL_IF_BFLOAT(T)>
    constexpr bfloat(const volatile T &other) : bits(other.bits) {}
    template <int = 0> constexpr volatile bfloat &operator=(bfloat other) volatile {
        bits = other.bits;
        return *this;
    }
    constexpr operator float() const volatile {
        return __builtin_bit_cast(float, uint(bits) << 16);
    }

#define MSL_BINARY(op)                                                                             \
    friend constexpr bfloat operator op(bfloat a, bfloat b) {                                      \
        return bfloat(float(a) op float(b));                                                       \
    }                                                                                              \
    template <typename T, MSL_IF_INTEGER(T)> friend constexpr bfloat operator op(bfloat a, T b) {  \
        return bfloat(float(a) op float(b));                                                       \
    }                                                                                              \
    template <typename T, MSL_IF_INTEGER(T)> friend constexpr bfloat operator op(T a, bfloat b) {  \
        return bfloat(float(a) op float(b));                                                       \
    }                                                                                              \
    template <typename T, MSL_IF_FLOAT(T)> friend constexpr float operator op(bfloat a, T b) {     \
        return float(a) op float(b);                                                               \
    }                                                                                              \
    template <typename T, MSL_IF_FLOAT(T)> friend constexpr float operator op(T a, bfloat b) {     \
        return float(a) op float(b);                                                               \
    }                                                                                              \
    template <typename T> constexpr bfloat &operator op##=(T other) {                              \
        return *this = bfloat(float(*this) op float(other));                                       \
    }
    MSL_BINARY(+)
    MSL_BINARY(-)
    MSL_BINARY(*)
    MSL_BINARY(/)
#undef MSL_BINARY
    constexpr bfloat operator-() const {
        return bfloat(-float(*this));
    }
    constexpr bfloat operator+() const {
        return *this;
    }
    constexpr bfloat &operator++() {
        return *this += 1;
    }
    constexpr bfloat &operator--() {
        return *this -= 1;
    }

private:
    /* To the nearest, halves to even; a NaN stays one. */
    static constexpr ushort rounded(uint value) {
        if ((value & 0x7FFFFFFF) > 0x7F800000) return ushort(value >> 16 | 0x40);
        return ushort((value + 0x7FFF + (value >> 16 & 1)) >> 16);
    }
};
#undef MSL_IF_INTEGER
#undef MSL_IF_FLOAT
#undef MSL_IF_BFLOAT

#endif
