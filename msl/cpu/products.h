/* products.h — the products of integer_linear.metal by vectors of 32 neighbours.
 *
 * A lane of a CPU has all of a block. Its sums come in eight parts, a register of AVX2: wider ones
 * would leave one of three ports idle. Pairs of neighbouring products are one instruction on x86.
 */
#ifndef METAL_LLM_MSL_CPU_PRODUCTS_H
#define METAL_LLM_MSL_CPU_PRODUCTS_H

#define MSL_OWN_PRODUCTS

#pragma clang diagnostic ignored "-Wpsabi" /* all of it is inlined: no vector crosses a call */

namespace metal {

#define MSL_LANES(n) __attribute__((ext_vector_type(n)))
typedef float Parts MSL_LANES(8);
typedef int Int8 MSL_LANES(8);
typedef short Short16 MSL_LANES(16);
typedef char Char16 MSL_LANES(16);
typedef uchar Uchar16 MSL_LANES(16);

/* From any address. */
template <typename Vector> MSL_INLINE Vector load(const void *from) {
    Vector vector;
    __builtin_memcpy(&vector, from, sizeof vector);
    return vector;
}

/* a[2i] · b[2i] + a[2i+1] · b[2i+1] */
MSL_INLINE Int8 sums_of_pairs(Short16 a, Short16 b) {
#if defined(__AVX2__)
    return __builtin_ia32_pmaddwd256(a, b);
#else
    Int8 even = __builtin_convertvector(a.even, Int8) * __builtin_convertvector(b.even, Int8);
    return even + __builtin_convertvector(a.odd, Int8) * __builtin_convertvector(b.odd, Int8);
#endif
}

/* 32 weights in two halves, times x. */
MSL_INLINE Parts products(Short16 first, Short16 second, const short *x) {
    Int8 sums = sums_of_pairs(first, load<Short16>(x));
    return __builtin_convertvector(sums + sums_of_pairs(second, load<Short16>(x + 16)), Parts);
}

MSL_INLINE float sum_of(Parts parts) {
    typedef float Parts4 MSL_LANES(4);
    Parts4 four = parts.lo + parts.hi;
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* The scale of a block whose weights follow it: four halves are converted by fewer instructions
 * than one. */
MSL_INLINE Parts scale_before(const half *scale) {
#if defined(__F16C__)
    typedef half Half4 MSL_LANES(4);
    typedef float Float4 MSL_LANES(4);
    Float4 floats = __builtin_convertvector(load<Half4>(scale), Float4);
    return __builtin_shufflevector(floats, floats, 0, 0, 0, 0, 0, 0, 0, 0);
#else
    return Parts(float(*scale));
#endif
}

MSL_INLINE Parts products_8(const char *values, const short *x, uint, uint) {
    return products(__builtin_convertvector(load<Char16>(values), Short16),
                    __builtin_convertvector(load<Char16>(values + 16), Short16), x);
}

MSL_INLINE Parts products_4(const uchar *nibbles, const short *x, uint, uint) {
    Short16 bytes = __builtin_convertvector(load<Uchar16>(nibbles), Short16);
    return products((bytes & 15) - 8, (bytes >> 4) - 8, x);
}

/* 16 of the values that products_6 multiplies. */
MSL_INLINE Short16 weights_6(const uchar *low, const uchar *high, char scale, uint quarter) {
    Uchar16 bits = load<Uchar16>(low) >> uchar(quarter / 2 * 4) & uchar(15);
    bits |= (load<Uchar16>(high) >> uchar(quarter * 2) & uchar(3)) << uchar(4);
    return (__builtin_convertvector(bits, Short16) - 32) * short(scale);
}

MSL_INLINE Parts products_6(const uchar *low, const uchar *high, const char *scale, uint quarter,
                            const short *x, uint, uint) {
    low += quarter % 2 * 32;
    return products(weights_6(low, high, scale[0], quarter),
                    weights_6(low + 16, high + 16, scale[1], quarter), x);
}

#undef MSL_LANES

} // namespace metal

#endif
