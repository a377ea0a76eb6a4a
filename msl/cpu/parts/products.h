/* products.h — kernels/parts/products.h by vectors of 32 neighbours
 *
 * A lane of a CPU has all of a block. Its sums come in eight parts, a register of AVX2: wider ones
 * would leave one of three ports idle. Four neighbouring products and their sum are one instruction
 * where there is VNNI.
 */
typedef float Parts MSL_LANES(8);

/* sum[i] + a[4i] · b[4i] + … + a[4i+3] · b[4i+3], a up to 128 */
static Int8 add_products(Int8 sum, Uchar32 a, Char32 b) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return __builtin_ia32_vpdpbusd256(sum, (Int8)a, (Int8)b);
#elif defined(__AVX2__)
    return sum + Int8(__builtin_ia32_pmaddwd256(__builtin_ia32_pmaddubsw256(a, b), Short16(1)));
#else
    Short32 all = __builtin_convertvector(a, Short32) * __builtin_convertvector(b, Short32);
    typedef int Int16 MSL_LANES(16);
    Int16 pairs =
        __builtin_convertvector(all.even, Int16) + __builtin_convertvector(all.odd, Int16);
    return sum + pairs.even + pairs.odd;
#endif
}

/* b, or −b where a is negative */
static Char32 with_sign_of(Char32 a, Char32 b) {
#if defined(__AVX2__)
    return __builtin_ia32_psignb256(b, a);
#else
    return a < 0 ? -b : b;
#endif
}

static float sum_of(Parts parts) {
    typedef float Parts4 MSL_LANES(4);
    Parts4 four = parts.lo + parts.hi;
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* The scale of a block whose weights follow it: four halves are converted by fewer instructions
 * than one. */
static Parts scale_before(const half *scale) {
#if defined(__F16C__)
    typedef half Half4 MSL_LANES(4);
    typedef float Float4 MSL_LANES(4);
    Float4 floats = __builtin_convertvector(load<Half4>(scale), Float4);
    return __builtin_shufflevector(floats, floats, 0, 0, 0, 0, 0, 0, 0, 0);
#else
    return Parts(float(*scale));
#endif
}

/* The memory that is read a while after `row`: the hardware's own reading ahead ends with a page.
 */
static void read_ahead(const void *row, uint bytes) {
    enum { AHEAD = 4096, LINE = 64 };
    for (uint i = 0; i < bytes; i += LINE)
        __builtin_prefetch((const char *)row + AHEAD + i, 0, 2);
}

static Parts products_8(const char *values, const char *x, uint, uint) {
    Char32 weights = load<Char32>(values);
    Uchar32 sizes = (Uchar32)__builtin_elementwise_abs(weights);
    Int8 sums = add_products(Int8(0), sizes, with_sign_of(weights, load<Char32>(x)));
    return __builtin_convertvector(sums, Parts);
}

static Parts products_4(const uchar *nibbles, const char *x, const int *offset, uint, uint) {
    Uchar16 bytes = load<Uchar16>(nibbles);
    Uchar32 twice =
        __builtin_shufflevector(bytes, bytes, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    Uint8 weights = (Uint8)twice >> Uint8{0, 0, 0, 0, 4, 4, 4, 4} & 0x0f0f0f0fu;
    return __builtin_convertvector(
        add_products(load<Int8>(offset), (Uchar32)weights, load<Char32>(x)), Parts);
}

static Parts products_5(const uchar *nibbles, const ushort *fifth, const char *x, const int *offset, uint, uint) {
    Uchar16 bytes = load<Uchar16>(nibbles);
    Uchar4 bits = load<Uchar4>(fifth);
    Uchar32 twice =
        __builtin_shufflevector(bytes, bytes, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    Uchar32 spread =
        __builtin_shufflevector(bits, bits, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const Uchar32 own = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128,
                         1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    Uchar32 weights = (Uchar32)((Uint8)twice >> Uint8{0, 0, 0, 0, 4, 4, 4, 4} & 0x0f0f0f0fu);
    weights |= (Uchar32)((spread & own) == own) & uchar(16);
    return __builtin_convertvector(
        add_products(load<Int8>(offset) * 2, weights, load<Char32>(x)), Parts);
}

static Parts sum_of(const int *offset, uint, uint) {
    return __builtin_convertvector(load<Int8>(offset), Parts);
}

/* The scales of a quarter's first 16 weights and of the others, four times each, of those of a
 * half. */
static Parts scales_of_quarter(Parts all, uint quarter) {
    switch (quarter) {
    case 0:
        return __builtin_shufflevector(all, all, 0, 0, 0, 0, 1, 1, 1, 1);
    case 1:
        return __builtin_shufflevector(all, all, 2, 2, 2, 2, 3, 3, 3, 3);
    case 2:
        return __builtin_shufflevector(all, all, 4, 4, 4, 4, 5, 5, 5, 5);
    default:
        return __builtin_shufflevector(all, all, 6, 6, 6, 6, 7, 7, 7, 7);
    }
}

static Parts products_6(const uchar *low, const uchar *high, const char *scale, half d,
                            uint quarter, const char *x, const int *offset, uint, uint) {
    Uchar32 bits = load<Uchar32>(low + quarter % 2 * 32) >> uchar(quarter / 2 * 4) & uchar(15);
    bits |= (load<Uchar32>(high) >> uchar(quarter * 2) & uchar(3)) << uchar(4);
    Parts scales = __builtin_convertvector(load<Char8>(scale), Parts) * float(d);
    Int8 sums = add_products(load<Int8>(offset) * 4, bits, load<Char32>(x));
    return scales_of_quarter(scales, quarter) * __builtin_convertvector(sums, Parts);
}

