/* products.h — kernels/parts/products.h by vectors of 32 neighbours, as integers
 *
 * A lane of a CPU has all of a block. Its sums come in eight parts, a register of AVX2: wider ones
 * would leave one of three ports idle. Four neighbouring products and their sum are one instruction
 * where there is VNNI. Weights are levels without a sign: what they lack is added by way of
 * offset = −8 · Σ x, of which each part has its own four.
 *
 * Formats come in three forms, each with an add_products of its own below:
 *   blocks of 32     levels_of a block, with a sign or with start_of, what offset makes up for; q4_1
 *                    and q5_1 add_least_values, eight blocks' at once
 *   eighths          q4_K, q5_K: eight blocks of 32 in one of 256, a scale and a least value each
 *   sixteenths       q2_K, q3_K, q6_K: the same with two scales to an eighth, one for 16 weights
 */
#include "formats/all.h"

typedef float Parts MSL_LANES(8);
typedef float Parts4 MSL_LANES(4);
typedef uchar Uchar8 MSL_LANES(8);

/* sum[i] + a[4i] · b[4i] + … + a[4i+3] · b[4i+3], a up to 128; below it where bytes have a sign */
static Int8 add_products(Int8 sum, Uchar32 a, Char32 b) {
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__)
    return __builtin_ia32_vpdpbusd256(sum, (Int8)a, (Int8)b);
#elif defined(__AVX2__)
    return sum + Int8(__builtin_ia32_pmaddwd256(__builtin_ia32_pmaddubsw256(a, b), Short16(1)));
#elif defined(__ARM_FEATURE_DOTPROD)
    sum.lo = add_fours(sum.lo, (Char16)a.lo, b.lo);
    sum.hi = add_fours(sum.hi, (Char16)a.hi, b.hi);
    return sum;
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
    Parts4 four = parts.lo + parts.hi;
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* The memory that is read a while after `row`: the hardware's own reading ahead ends with a page.
 */
static void read_ahead(const void *row, uint bytes) {
    enum { AHEAD = 4096, LINE = 64 };
    for (uint i = 0; i < bytes; i += LINE)
        __builtin_prefetch((const char *)row + AHEAD + i, 0, 2);
}

/* --- levels, sums and scales --- */

static Parts floats(Int8 integers) {
    return __builtin_convertvector(integers, Parts);
}

/* The same of all parts. */
template <uint I> static Parts all_of(Parts parts) {
    return __builtin_shufflevector(parts, parts, I, I, I, I, I, I, I, I);
}

/* A scale, and what lies three halves after it at most: four halves are converted by fewer
 * instructions than one. Those that are followed by bits may be anything, and are not used. */
static Parts halves_at(const half *first) {
    typedef half Half4 MSL_LANES(4);
    Parts4 four = __builtin_convertvector(load<Half4>(first), Parts4);
    return __builtin_shufflevector(four, four, 0, 1, 2, 3, 0, 1, 2, 3);
}

/* Low nibbles of 16 bytes, then their high ones. */
static Uchar32 nibbles_of(const uchar *sixteen) {
    Uchar16 bytes = load<Uchar16>(sixteen);
    Uchar32 twice =
        __builtin_shufflevector(bytes, bytes, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return (Uchar32)((Uint8)twice >> Uint8{0, 0, 0, 0, 4, 4, 4, 4} & 0x0f0f0f0fu);
}

/* 16 where one of 32 bits is set. */
static Uchar32 fifth_bits_of(const void *four) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    return (Uchar32)__builtin_ia32_selectb_256(load<uint>(four), Char32(16), Char32(0));
#else
    Uchar32 bytes = (Uchar32)Uint8(load<uint>(four));
    bytes = __builtin_shufflevector(bytes, bytes, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2,
                                    2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    Uchar32 bit = (Uchar32)(Uint8{0x08040201u, 0x80402010u, 0x08040201u, 0x80402010u, 0x08040201u,
                                  0x80402010u, 0x08040201u, 0x80402010u});
    return (Uchar32)((bytes & bit) == bit) & uchar(16);
#endif
}

/* Bits of 32 bytes, brought to the bottom of each. */
static Uchar32 bits_of(const uchar *bytes, uint shift, uint mask) {
    return (Uchar32)(load<Uint8>(bytes) >> shift & mask * 0x01010101u);
}

/* Σ level · x, from `start` on */
static Parts sums_of(Uchar32 levels, Char32 x, Int8 start) {
    return floats(add_products(start, levels, x));
}

/* The same of weights with a sign. */
static Parts sums_of(Char32 weights, Char32 x, Int8 start) {
#if defined(__ARM_FEATURE_DOTPROD)
    return sums_of((Uchar32)weights, x, start);
#else
    return sums_of((Uchar32)__builtin_elementwise_abs(weights), with_sign_of(weights, x), start);
#endif
}

/* Of 16 neighbours each, four parts: scales 2i and 2i + 1. */
static Parts pair_of(Parts all, uint i) {
    switch (i) {
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

/* Part i in all of them; i is known once the loop over a block's eighths is unrolled. */
static Parts part_of(Parts parts, uint i) {
    switch (i) {
    case 0:
        return all_of<0>(parts);
    case 1:
        return all_of<1>(parts);
    case 2:
        return all_of<2>(parts);
    case 3:
        return all_of<3>(parts);
    case 4:
        return all_of<4>(parts);
    case 5:
        return all_of<5>(parts);
    case 6:
        return all_of<6>(parts);
    default:
        return all_of<7>(parts);
    }
}

/* --- what is known of x --- */

struct Input {
    const char *values;
    const int *offset, *block_offset;
    const float *scale;
    uint blocks;
};

/* Eight blocks of a token: their scales, and scale · Σ value. */
static Parts scales_at(Input x, ulong at) {
    return load<Parts>(x.scale + at);
}
static Parts sums_at(Input x, ulong at) {
    return scales_at(x, at) * floats(load<Int8>(x.block_offset + at)) * (-1.0f / 128.0f);
}

/* --- blocks of 32: levels, what their sums start from, scale and least value --- */

static Uchar32 levels_of(const block_q4_0 *block) {
    return nibbles_of(block->nibbles);
}
static Uchar32 levels_of(const block_q4_1 *block) {
    return nibbles_of(block->nibbles);
}
static Uchar32 levels_of(const block_q5_0 *block) {
    return nibbles_of(block->nibbles) | fifth_bits_of(block->fifth);
}
static Uchar32 levels_of(const block_q5_1 *block) {
    return nibbles_of(block->nibbles) | fifth_bits_of(block->fifth);
}
static Char32 levels_of(const block_q8_0 *block) {
    return load<Char32>(block->values);
}
static Char32 levels_of(const block_iq4_nl *block) {
    Uchar32 indices = nibbles_of(block->nibbles);
#if defined(__AVX2__)
    Uchar16 levels = load<Uchar16>(IQ4_NL_LEVELS);
    Uchar32 twice =
        __builtin_shufflevector(levels, levels, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                                15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return (Char32)__builtin_ia32_pshufb256((Char32)twice, (Char32)indices);
#elif defined(__ARM_NEON)
    Char16 levels = load<Char16>(IQ4_NL_LEVELS);
    Char32 weights;
    weights.lo = __builtin_neon_vqtbl1q_v(levels, (Char16)indices.lo, 32);
    weights.hi = __builtin_neon_vqtbl1q_v(levels, (Char16)indices.hi, 32);
    return weights;
#else
    Char32 weights;
    for (uint i = 0; i < 32; i++)
        weights[i] = IQ4_NL_LEVELS[indices[i]];
    return weights;
#endif
}

static Int8 start_of(const block_q4_0 *, const int *offset) {
    return load<Int8>(offset);
}
static Int8 start_of(const block_q5_0 *, const int *offset) {
    return load<Int8>(offset) * 2;
}
template <typename Block> static Int8 start_of(const Block *, const int *) {
    return Int8(0);
}

/* Eight blocks' least values, side by side: as many Σ x take them. */
template <uint COUNT, typename Block>
static void add_least_values(const Block *row, uint first, Input x, uint t0,
                             Parts (&sum)[2][COUNT]) {
    typedef half Half8 MSL_LANES(8);
    ulong at = ulong(t0) * x.blocks + first;
    if (first + 8 <= x.blocks) {
        Half8 leasts;
        for (uint i = 0; i < 8; i++)
            leasts[i] = row[first + i].least;
        for (uint t = 0; t < COUNT; t++)
            sum[0][t] += __builtin_convertvector(leasts, Parts) * sums_at(x, at + t * x.blocks);
        return;
    }
    for (uint i = 0; first + i < x.blocks; i++)
        for (uint t = 0; t < COUNT; t++) {
            ulong one = at + ulong(t) * x.blocks + i;
            float total = x.scale[one] * float(x.block_offset[one]) * (-1.0f / 128.0f);
            sum[0][t][0] += float(row[first + i].least) * total;
        }
}
template <uint COUNT, typename Block>
static void add_leasts(const Block *, uint, Input, uint, Parts (&)[2][COUNT]) {}
template <uint COUNT>
static void add_leasts(const block_q4_1 *row, uint first, Input x, uint t0,
                       Parts (&sum)[2][COUNT]) {
    add_least_values(row, first, x, t0, sum);
}
template <uint COUNT>
static void add_leasts(const block_q5_1 *row, uint first, Input x, uint t0,
                       Parts (&sum)[2][COUNT]) {
    add_least_values(row, first, x, t0, sum);
}

template <uint COUNT, typename Block>
static void add_products(const Block *row, uint first, Input x, uint t0, uint, uint,
                         Parts (&sum)[2][COUNT]) {
#pragma unroll
    for (uint i = 0; i < 8; i++) {
        const Block *block = row + first + i;
        if (first + i >= x.blocks) break;
        auto levels = levels_of(block);
        Parts scale = all_of<0>(halves_at(&block->scale));
        for (uint t = 0; t < COUNT; t++) {
            ulong at = ulong(t0 + t) * x.blocks + first + i;
            Parts products = sums_of(levels, load<Char32>(x.values + at * 32),
                                     start_of(block, x.offset + at * 8));
            sum[i % 2][t] += x.scale[at] * scale * products;
        }
    }
    add_leasts(row, first, x, t0, sum);
}

/* --- blocks of 256, in eighths --- */

/* Eight scales and least values of 6 bits each: see formats/scales_k.h. */
static void unpack_scales(const uchar *packed, Parts *scales, Parts *leasts) {
    uint first = load<uint>(packed), second = load<uint>(packed + 4), low = load<uint>(packed + 8);
    uint upper = (low & 0x0f0f0f0fu) | (first >> 2 & 0x30303030u);
    uint upper_least = (low >> 4 & 0x0f0f0f0fu) | (second >> 2 & 0x30303030u);
    ulong both = (first & 0x3f3f3f3fu) | ulong(upper) << 32;
    ulong both_least = (second & 0x3f3f3f3fu) | ulong(upper_least) << 32;
    *scales = __builtin_convertvector(load<Uchar8>(&both), Parts);
    *leasts = __builtin_convertvector(load<Uchar8>(&both_least), Parts);
}

static Uchar32 eighth_of(const block_q4_K *block, uint i) {
    return bits_of(block->nibbles[i / 2], i % 2 * 4, 15);
}
static Uchar32 eighth_of(const block_q5_K *block, uint i) {
    Uint8 fifth = load<Uint8>(block->fifth);
    fifth = i < 4 ? fifth << (4 - i) : fifth >> (i - 4);
    return bits_of(block->nibbles[i / 2], i % 2 * 4, 15) | (Uchar32)(fifth & 0x10101010u);
}
static Uchar32 eighth_of(const block_q6_K *block, uint i) {
    uint part = i / 4, quarter = i % 4;
    Uint8 high = load<Uint8>(block->high[part]);
    high = quarter < 2 ? high << (4 - 2 * quarter) : high >> (2 * quarter - 4);
    return bits_of(block->low[part] + quarter % 2 * 32, quarter / 2 * 4, 15) |
           (Uchar32)(high & 0x30303030u);
}
static Uchar32 eighth_of(const block_q3_K *block, uint i) {
    Uint8 high = load<Uint8>(block->high);
    high = i < 2 ? high << (2 - i) : high >> (i - 2);
    return bits_of(block->low[i / 4], i % 4 * 2, 3) | (Uchar32)(high & 0x04040404u);
}
static Uchar32 eighth_of(const block_q2_K *block, uint i) {
    return bits_of(block->values[i / 4], i % 4 * 2, 3);
}

/* q4_K, q5_K: an eighth has a scale and a least value. */
template <uint COUNT, typename Block>
static void add_eighths(const Block *block, uint first, Input x, uint t0, Parts (&sum)[2][COUNT]) {
    ulong at = ulong(t0) * x.blocks + first;
    Parts scales, leasts, scaled[COUNT], both = halves_at(&block->d);
    unpack_scales(block->scales, &scales, &leasts);
    scales *= all_of<0>(both);
    leasts *= all_of<1>(both);
    for (uint t = 0; t < COUNT; t++) {
        scaled[t] = scales * scales_at(x, at + ulong(t) * x.blocks);
        sum[0][t] -= leasts * sums_at(x, at + ulong(t) * x.blocks);
    }
#pragma unroll
    for (uint i = 0; i < 8; i++) {
        Uchar32 levels = eighth_of(block, i);
        for (uint t = 0; t < COUNT; t++) {
            const char *values = x.values + (at + ulong(t) * x.blocks + i) * 32;
            sum[i % 2][t] += part_of(scaled[t], i) * sums_of(levels, load<Char32>(values), Int8(0));
        }
    }
}

/* q2_K, q3_K, q6_K: sixteen scales, two to an eighth; the sums of an eighth start from
 * times · offset / 2. */
template <uint COUNT, typename Block>
static void add_sixteenths(const Block *block, Parts first_scales, Parts last_scales, int times,
                           uint first, Input x, uint t0, Parts (&sum)[2][COUNT]) {
    ulong at = ulong(t0) * x.blocks + first;
    Parts scaled[COUNT][2];
    for (uint t = 0; t < COUNT; t++) {
        Parts own = scales_at(x, at + ulong(t) * x.blocks);
        scaled[t][0] = first_scales * __builtin_shufflevector(own, own, 0, 0, 1, 1, 2, 2, 3, 3);
        scaled[t][1] = last_scales * __builtin_shufflevector(own, own, 4, 4, 5, 5, 6, 6, 7, 7);
    }
#pragma unroll
    for (uint i = 0; i < 8; i++) {
        Uchar32 levels = eighth_of(block, i);
        for (uint t = 0; t < COUNT; t++) {
            ulong place = at + ulong(t) * x.blocks + i;
            Int8 start = times ? (load<Int8>(x.offset + place * 8) >> 1) * times : Int8(0);
            sum[i % 2][t] += pair_of(scaled[t][i / 4], i % 4) *
                             sums_of(levels, load<Char32>(x.values + place * 32), start);
        }
    }
}

template <uint COUNT>
static void add_products(const block_q4_K *row, uint first, Input x, uint t0, uint, uint,
                         Parts (&sum)[2][COUNT]) {
    add_eighths(row + first / 8, first, x, t0, sum);
}

template <uint COUNT>
static void add_products(const block_q5_K *row, uint first, Input x, uint t0, uint, uint,
                         Parts (&sum)[2][COUNT]) {
    add_eighths(row + first / 8, first, x, t0, sum);
}

template <uint COUNT>
static void add_products(const block_q6_K *row, uint first, Input x, uint t0, uint, uint,
                         Parts (&sum)[2][COUNT]) {
    const block_q6_K *block = row + first / 8;
    Parts scales[2];
    for (uint part = 0; part < 2; part++)
        scales[part] =
            __builtin_convertvector(load<Char8>(block->scale[part]), Parts) * float(block->d);
    add_sixteenths(block, scales[0], scales[1], 8, first, x, t0, sum);
}

/* Of q3_K, the eight scales of a part. */
static Parts scales_of(const block_q3_K *block, uint part) {
    uint upper = load<uint>(block->scale + 8) >> 4 * part;
    ulong scales = load<ulong>(block->scale) >> 4 * part & 0x0f0f0f0f0f0f0f0fu;
    scales |= ulong(upper & 0x03030303u) << 4 | ulong(upper >> 2 & 0x03030303u) << 36;
    return (__builtin_convertvector(load<Uchar8>(&scales), Parts) - 32.0f) * float(block->d);
}

template <uint COUNT>
static void add_products(const block_q3_K *row, uint first, Input x, uint t0, uint, uint,
                         Parts (&sum)[2][COUNT]) {
    const block_q3_K *block = row + first / 8;
    add_sixteenths(block, scales_of(block, 0), scales_of(block, 1), 1, first, x, t0, sum);
}

template <uint COUNT>
static void add_products(const block_q2_K *row, uint first, Input x, uint t0, uint, uint,
                         Parts (&sum)[2][COUNT]) {
    const block_q2_K *block = row + first / 8;
    Parts scales[2], leasts[2];
    for (uint part = 0; part < 2; part++) {
        Uchar8 both = load<Uchar8>(block->scale[part]);
        scales[part] = __builtin_convertvector(both & uchar(15), Parts) * float(block->d);
        leasts[part] = __builtin_convertvector(both >> uchar(4), Parts) * float(block->d_least);
    }
    add_sixteenths(block, scales[0], scales[1], 0, first, x, t0, sum);
#pragma unroll
    for (uint i = 0; i < 8; i++)
        for (uint t = 0; t < COUNT; t++) {
            ulong place = ulong(t0 + t) * x.blocks + first + i;
            sum[i % 2][t] += pair_of(leasts[i / 4], i % 4) * (x.scale[place] * 0.125f) *
                             floats(load<Int8>(x.offset + place * 8));
        }
}
