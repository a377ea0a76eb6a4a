/* columns.h — kernels/parts/columns.h: the only lane of a CPU has all 32 columns, by as many at once
 * as leave six rows' sums in registers */

#if defined(__AVX512F__)
enum { AT_ONCE = 32 };
#elif defined(__AVX2__)
enum { AT_ONCE = 16 };
#else
enum { AT_ONCE = 8 };
#endif
typedef int IntColumns MSL_LANES(AT_ONCE);
typedef float FloatColumns MSL_LANES(AT_ONCE);

#if defined(__ARM_FEATURE_DOTPROD)
enum { SIGNS = 0x80808080 }; /* a byte − 128 is the byte with another first bit, and a sign */
#else
enum { SIGNS = 0 };
#endif

/* sum[n] + Σ_b byte b of words[n] · x[b] */
static IntColumns add_products(IntColumns sum, IntColumns words, const char *x) {
#if defined(__AVX512VNNI__)
    typedef int Int16 MSL_LANES(16);
    Int16 four = Int16(load<int>(x));
    sum.lo = __builtin_ia32_vpdpbusd512(sum.lo, words.lo, four);
    sum.hi = __builtin_ia32_vpdpbusd512(sum.hi, words.hi, four);
#elif defined(__AVXVNNI__)
    Int8 four = Int8(load<int>(x));
    sum.lo = __builtin_ia32_vpdpbusd256(sum.lo, words.lo, four);
    sum.hi = __builtin_ia32_vpdpbusd256(sum.hi, words.hi, four);
#elif defined(__ARM_FEATURE_DOTPROD)
    Char16 four = (Char16)Int4(load<int>(x));
    sum.lo = add_fours(sum.lo, (Char16)words.lo, four);
    sum.hi = add_fours(sum.hi, (Char16)words.hi, four);
#else
    for (uint i = 0; i < 4; i++)
        sum += (words >> int(8 * i) & 255) * int(x[i]);
#endif
    return sum;
}

/* For COUNT rows of x, of which `first` is one. */
template <uint WORDS, uint COUNT>
static void row_products(const uint *word, uint below, const char *x, ulong apart, uint first,
                         const int (&start)[COUNT], IntColumns (&sum)[COUNT]) {
    for (uint i = first; i < COUNT; i++)
        sum[i] = IntColumns(SIGNS ? 0 : start[i]);
#pragma unroll
    for (uint w = 0; w < WORDS; w++) {
        IntColumns words = load<IntColumns>(word + w * below) ^ int(SIGNS);
        for (uint i = first; i < COUNT; i++)
            sum[i] = add_products(sum[i], words, x + i * apart + 4 * w);
    }
}

#if defined(__ARM_FEATURE_MATMUL_INT8)
/* Two columns × two rows to a register, whose sums one instruction adds to: eight bytes of each. */
template <uint WORDS, uint COUNT>
static void products(const uint *word, uint below, const char *x, ulong apart,
                     const int (&start)[COUNT], IntColumns (&sum)[COUNT]) {
    typedef long Long2 MSL_LANES(2);
    enum { PAIRS = COUNT / 2 };
    Int4 square[PAIRS + 1][4];
    for (uint p = 0; p < PAIRS; p++)
        for (uint c = 0; c < 4; c++)
            square[p][c] = Int4(0);
#pragma unroll
    for (uint w = 0; w < WORDS; w += 2) {
        Int8 above = load<Int8>(word + w * below) ^ int(SIGNS);
        Int8 under = load<Int8>(word + (w + 1) * below) ^ int(SIGNS);
        Char16 eights[4] = {(Char16)__builtin_shufflevector(above, under, 0, 8, 1, 9),
                            (Char16)__builtin_shufflevector(above, under, 2, 10, 3, 11),
                            (Char16)__builtin_shufflevector(above, under, 4, 12, 5, 13),
                            (Char16)__builtin_shufflevector(above, under, 6, 14, 7, 15)};
        for (uint p = 0; p < PAIRS; p++) {
            const char *row = x + 2 * p * apart + 4 * w;
            Char16 rows = (Char16)Long2{load<long>(row), load<long>(row + apart)};
            for (uint c = 0; c < 4; c++)
                square[p][c] = add_eights(square[p][c], eights[c], rows);
        }
    }
    for (uint p = 0; p < PAIRS; p++)
        for (uint r = 0; r < 2; r++) {
            IntColumns *of_row = &sum[2 * p + r];
            of_row->lo = r ? __builtin_shufflevector(square[p][0], square[p][1], 1, 3, 5, 7)
                           : __builtin_shufflevector(square[p][0], square[p][1], 0, 2, 4, 6);
            of_row->hi = r ? __builtin_shufflevector(square[p][2], square[p][3], 1, 3, 5, 7)
                           : __builtin_shufflevector(square[p][2], square[p][3], 0, 2, 4, 6);
        }
    row_products<WORDS>(word, below, x, apart, 2 * PAIRS, start, sum);
}
#else
template <uint WORDS, uint COUNT>
static void products(const uint *word, uint below, const char *x, ulong apart,
                     const int (&start)[COUNT], IntColumns (&sum)[COUNT]) {
    row_products<WORDS>(word, below, x, apart, 0, start, sum);
}
#endif

static FloatColumns scaled(IntColumns sum, const float *scale, float factor) {
    return __builtin_convertvector(sum, FloatColumns) * (load<FloatColumns>(scale) * factor);
}

static void store(float *out, FloatColumns total, uint count, bool add) {
    if (count >= AT_ONCE) {
        if (add) total += load<FloatColumns>(out);
        __builtin_memcpy(out, &total, sizeof total);
        return;
    }
    float each[AT_ONCE];
    __builtin_memcpy(each, &total, sizeof each);
    for (uint n = 0; n < count; n++)
        out[n] = add ? out[n] + each[n] : each[n];
}
