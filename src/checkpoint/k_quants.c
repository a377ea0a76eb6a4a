/* k_quants.c — the formats of 256 values: kernels/formats/q4_K.h and its siblings show their
 * layouts. Scales are sought, not just taken from the largest value, as llama.cpp seeks them. */
#include "quantise.h"

#include "values.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 256 };

/* Between two whole numbers. Adding 1.5 · 2²³ and taking it off again rounds as rintf does, but
 * without a call. NaN becomes `least`. */
static float rounded_to(float value, float least, float most) {
    float inside = value > least ? (value < most ? value : most) : least;
    return inside + 0x1.8p23f - 0x1.8p23f;
}

/* --- q6_K: 16 values share a scale --- */

/* How well multiples −32 … 31 of some scale describe 16 values, when they are round(value ·
 * multiplier): errors count by the value's square, and the best scale for these multiples is
 * Σ w x n / Σ w n². What it explains of Σ w x² is in *explained. */
static float fit_scale(const float values[16], float multiplier, float *explained) {
    float products = 0.0f, squares = 0.0f;
    for (size_t i = 0; i < 16; i++) {
        float multiple = rounded_to(values[i] * multiplier, -32.0f, 31.0f);
        float weight = values[i] * values[i];
        products += weight * values[i] * multiple;
        squares += weight * multiple * multiple;
    }
    float scale = squares > 0.0f ? products / squares : 0.0f;
    *explained = scale * products;
    return scale;
}

/* The best of those scales that give the value furthest from 0 a multiple from 31.1 to 32.9. */
static float best_scale(const float values[16]) {
    float furthest = furthest_from_zero(values, 16), best = -1.0f, result = 0.0f;
    if (fabsf(furthest) < 1e-15f) return 0.0f;
    for (int tenth = -9; tenth <= 9; tenth++) {
        float explained;
        float scale = fit_scale(values, -(32.0f + 0.1f * (float)tenth) / furthest, &explained);
        if (explained > best) best = explained, result = scale;
    }
    return result;
}

/* Multiple i of a block, 0 … 63, to its nibble and its two upper bits. */
static void store_six_bits(unsigned multiple, size_t i, unsigned char *stored) {
    size_t half = i / 128, quarter = i % 128 / 32, byte = i % 32;
    stored[half * 64 + quarter % 2 * 32 + byte] |=
        (unsigned char)((multiple & 15) << quarter / 2 * 4);
    stored[128 + half * 32 + byte] |= (unsigned char)(multiple >> 4 << 2 * quarter);
}

/* The scales of larger values, which are about a 31st of them, might be too large. */
static const float q6_k_most = 30.0f * 128.0f * 65504.0f;

bool store_q6_k(const float *values, unsigned char *stored) {
    enum { SCALES = 128 + 64, D = SCALES + 16, BYTES = D + 2 };
    float scales[16];
    if (fabsf(furthest_from_zero(values, BLOCK)) > q6_k_most) return false;
    for (size_t group = 0; group < 16; group++)
        scales[group] = best_scale(values + 16 * group);
    float d = furthest_from_zero(scales, 16) / -128.0f, multiplier = scale_inverse(d);
    memset(stored, 0, BYTES);
    store_half(d, stored + D);
    d = float_from(TENSOR_F16, stored + D);
    for (size_t group = 0; group < 16; group++) {
        float scale = rounded_to(scales[group] * multiplier, -128.0f, 127.0f);
        stored[SCALES + group] = (unsigned char)(int)scale;
        for (size_t i = 16 * group; i < 16 * group + 16; i++) {
            float multiple = rounded_to(values[i] * scale_inverse(d * scale), -32.0f, 31.0f);
            store_six_bits((unsigned)(multiple + 32.0f), i, stored);
        }
    }
    return true;
}

/* --- q4_K and q5_K: 32 values share a scale and a least value --- */

enum { GROUP = 32, GROUPS = BLOCK / GROUP };

/* value ≈ scale · multiple − least, neither less than 0 */
typedef struct Fit {
    float scale, least;
} Fit;

/* What the fits of some values are judged by. */
typedef struct Fitting {
    const float *values;  /* [GROUP] */
    float weights[GROUP]; /* of their errors: their size, and the usual size */
    float most;           /* multiple */
    float sum, sum_x;     /* Σ w, Σ w x */
} Fitting;

/* The multiples that values come to when `least` is added and they are multiplied. */
static void find_multiples(const Fitting *fitting, float least, float multiplier,
                           float multiples[GROUP]) {
    for (size_t i = 0; i < GROUP; i++)
        multiples[i] = rounded_to((fitting->values[i] + least) * multiplier, 0.0f, fitting->most);
}

/* Σ w (scale · multiple − least − x)² */
static float error_of(const Fitting *fitting, Fit fit, const float multiples[GROUP]) {
    float error = 0.0f;
    for (size_t i = 0; i < GROUP; i++) {
        float difference = fit.scale * multiples[i] - fit.least - fitting->values[i];
        error += fitting->weights[i] * difference * difference;
    }
    return error;
}

/* The least squares. */
static Fit fit_to(const Fitting *fitting, const float multiples[GROUP]) {
    float sum_n = 0.0f, sum_nn = 0.0f, sum_xn = 0.0f;
    for (size_t i = 0; i < GROUP; i++) {
        float weighed = fitting->weights[i] * multiples[i];
        sum_n += weighed;
        sum_nn += weighed * multiples[i];
        sum_xn += weighed * fitting->values[i];
    }
    float determinant = fitting->sum * sum_nn - sum_n * sum_n;
    Fit fit = {(fitting->sum * sum_xn - fitting->sum_x * sum_n) / determinant,
               (sum_n * sum_xn - sum_nn * fitting->sum_x) / determinant};
    if (fit.least < 0.0f) fit = (Fit){sum_xn / sum_nn, 0.0f};
    return fit;
}

static Fitting fitting_of(const float *values, float most) {
    Fitting fitting = {.values = values, .most = most};
    float squares = 0.0f;
    for (size_t i = 0; i < GROUP; i++)
        squares += values[i] * values[i];
    for (size_t i = 0; i < GROUP; i++) {
        fitting.weights[i] = sqrtf(squares / GROUP) + fabsf(values[i]);
        fitting.sum += fitting.weights[i];
        fitting.sum_x += fitting.weights[i] * values[i];
    }
    return fitting;
}

/* The best of the fits to those multiples that spread the values over about `most` steps: from
 * `fewer` less than those on, by tenths. Each goes on from the best least value so far. */
static Fit best_fit(const float *values, float most, float fewer, int tenths) {
    Fitting fitting = fitting_of(values, most);
    float largest = values[0], multiples[GROUP];
    Fit best = {0.0f, 0.0f};
    for (size_t i = 0; i < GROUP; i++) {
        best.least = fmaxf(best.least, -values[i]);
        largest = fmaxf(largest, values[i]);
    }
    if (!(largest + best.least > 0.0f)) return best;
    best.scale = (largest + best.least) / most;
    find_multiples(&fitting, best.least, 1.0f / best.scale, multiples);
    float best_error = error_of(&fitting, best, multiples);
    for (int tenth = 0; tenth <= tenths; tenth++) {
        float least = best.least, steps = most - fewer + 0.1f * (float)tenth;
        find_multiples(&fitting, least, steps / (largest + least), multiples);
        Fit fit = fit_to(&fitting, multiples);
        float error = error_of(&fitting, fit, multiples);
        if (error < best_error) best = fit, best_error = error;
    }
    return best;
}

/* Eight scales and eight least values of 6 bits: see kernels/formats/scales_k.h. */
static void store_scales(const unsigned scale[GROUPS], const unsigned least[GROUPS],
                         unsigned char stored[12]) {
    for (size_t i = 0; i < 4; i++) {
        stored[i] = (unsigned char)(scale[i] | scale[4 + i] >> 4 << 6);
        stored[4 + i] = (unsigned char)(least[i] | least[4 + i] >> 4 << 6);
        stored[8 + i] = (unsigned char)((scale[4 + i] & 15) | (least[4 + i] & 15) << 4);
    }
}

/* Values whose scales and least values are multiples of d and d_least, as halves. */
typedef struct Scales {
    float d, d_least; /* as stored */
    unsigned scale[GROUPS], least[GROUPS];
} Scales;

/* Those of larger values might be too large. */
static const float least_most = 60.0f * 65504.0f;

/* Find the scales of a block and store the first 16 bytes of it; false if they are too large. */
static bool store_fits(const float *values, float most, float fewer, int tenths,
                       unsigned char *stored, Scales *scales) {
    Fit fits[GROUPS];
    float d = 0.0f, d_least = 0.0f;
    if (fabsf(furthest_from_zero(values, BLOCK)) > least_most) return false;
    for (size_t group = 0; group < GROUPS; group++) {
        fits[group] = best_fit(values + GROUP * group, most, fewer, tenths);
        d = fmaxf(d, fits[group].scale / 63.0f);
        d_least = fmaxf(d_least, fits[group].least / 63.0f);
    }
    for (size_t group = 0; group < GROUPS; group++) {
        scales->scale[group] =
            (unsigned)rounded_to(fits[group].scale * scale_inverse(d), 0.0f, 63.0f);
        scales->least[group] =
            (unsigned)rounded_to(fits[group].least * scale_inverse(d_least), 0.0f, 63.0f);
    }
    store_half(d, stored);
    store_half(d_least, stored + 2);
    store_scales(scales->scale, scales->least, stored + 4);
    scales->d = float_from(TENSOR_F16, stored);
    scales->d_least = float_from(TENSOR_F16, stored + 2);
    return true;
}

/* The multiple of value i that comes closest to it. */
static unsigned nearest(const float *values, size_t i, const Scales *scales, float most) {
    float scale = scales->d * (float)scales->scale[i / GROUP];
    float least = scales->d_least * (float)scales->least[i / GROUP];
    return (unsigned)rounded_to((values[i] + least) * scale_inverse(scale), 0.0f, most);
}

bool store_q4_k(const float *values, unsigned char *stored) {
    enum { NIBBLES = 16 };
    Scales scales;
    if (!store_fits(values, 15.0f, 1.0f, 20, stored, &scales)) return false;
    for (size_t i = 0; i < BLOCK / 2; i++) {
        size_t low = i / GROUP * 2 * GROUP + i % GROUP;
        stored[NIBBLES + i] = (unsigned char)(nearest(values, low, &scales, 15.0f) |
                                              nearest(values, low + GROUP, &scales, 15.0f) << 4);
    }
    return true;
}

bool store_q5_k(const float *values, unsigned char *stored) {
    enum { FIFTH = 16, NIBBLES = 48 };
    Scales scales;
    if (!store_fits(values, 31.0f, 0.5f, 15, stored, &scales)) return false;
    memset(stored + FIFTH, 0, NIBBLES - FIFTH + BLOCK / 2);
    for (size_t i = 0; i < BLOCK; i++) {
        size_t group = i / GROUP, byte = i % GROUP;
        unsigned multiple = nearest(values, i, &scales, 31.0f);
        stored[FIFTH + byte] |= (unsigned char)(multiple >> 4 << group);
        stored[NIBBLES + group / 2 * GROUP + byte] |=
            (unsigned char)((multiple & 15) << group % 2 * 4);
    }
    return true;
}
