/* columns.h — kernels/parts/columns.h: the only lane of a CPU has all 32 columns */

typedef int IntColumns MSL_LANES(32);
typedef float FloatColumns MSL_LANES(32);

/* sum[n] + Σ_i byte i of word[n] · x[i] */
static IntColumns add_products(IntColumns sum, const uint *word, const char *x) {
    IntColumns words = load<IntColumns>(word);
#if defined(__AVX512VNNI__)
    typedef int Int16 MSL_LANES(16);
    Int16 four = Int16(load<int>(x));
    sum.lo = __builtin_ia32_vpdpbusd512(sum.lo, words.lo, four);
    sum.hi = __builtin_ia32_vpdpbusd512(sum.hi, words.hi, four);
#elif defined(__AVXVNNI__)
    typedef int Int8 MSL_LANES(8);
    Int8 four = Int8(load<int>(x));
    sum.lo.lo = __builtin_ia32_vpdpbusd256(sum.lo.lo, words.lo.lo, four);
    sum.lo.hi = __builtin_ia32_vpdpbusd256(sum.lo.hi, words.lo.hi, four);
    sum.hi.lo = __builtin_ia32_vpdpbusd256(sum.hi.lo, words.hi.lo, four);
    sum.hi.hi = __builtin_ia32_vpdpbusd256(sum.hi.hi, words.hi.hi, four);
#else
    for (uint i = 0; i < 4; i++)
        sum += (words >> int(8 * i) & 255) * int(x[i]);
#endif
    return sum;
}

static FloatColumns scaled(IntColumns sum, const float *scale, float factor) {
    return __builtin_convertvector(sum, FloatColumns) * (load<FloatColumns>(scale) * factor);
}

static void store(float *out, FloatColumns total, uint count, bool add) {
    if (count >= 32) {
        if (add) total += load<FloatColumns>(out);
        __builtin_memcpy(out, &total, sizeof total);
        return;
    }
    float each[32];
    __builtin_memcpy(each, &total, sizeof each);
    for (uint n = 0; n < count; n++)
        out[n] = add ? out[n] + each[n] : each[n];
}
