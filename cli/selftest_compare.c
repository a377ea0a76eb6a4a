#include "selftest_compare.h"

#include "checkpoint/values.h"
#include "selftest_draw.h"

#include <math.h>

static double number_at(Number number, const void *data, size_t at) {
    const unsigned char *stored = (const unsigned char *)data + at * number_size(number);
    uint32_t word = 0;
    memcpy(&word, stored, number_size(number));
    switch (number) {
    case NUMBER_F32:
        return float_of(word);
    case NUMBER_F16:
        return float_from(TENSOR_F16, stored);
    case NUMBER_I8:
        return (int8_t)word;
    case NUMBER_I32:
        return (int32_t)word;
    default:
        return word;
    }
}

static bool is_float(Number number) {
    return number == NUMBER_F32 || number == NUMBER_F16;
}

/* The error that a number may have. */
static double allowed(const LaunchArgument *argument, const void *expected) {
    if (argument->number == NUMBER_I8) return 1;
    if (argument->number == NUMBER_I32) return 128;
    if (!is_float(argument->number)) return 0;
    double largest = 0;
    for (size_t i = 0; i < argument->count; i++) {
        double size = fabs(number_at(argument->number, expected, i));
        if (isfinite(size) && size > largest) largest = size;
    }
    return 2 * ((double)argument->tolerance * largest + 2e-7);
}

/* The share of what is allowed. Equal infinities, and NaN on both sides, are no error. */
static double share_of(double actual, double expected, double most) {
    if (actual == expected || (isnan(actual) && isnan(expected))) return 0;
    double error = fabs(actual - expected);
    return isfinite(error) && most > 0 ? error / most : INFINITY;
}

Difference compare(const LaunchArgument *argument, const void *actual, const void *expected) {
    Difference worst = {0};
    double most = allowed(argument, expected);
    size_t others = 0;
    for (size_t i = 0; i < argument->count; i++) {
        double a = number_at(argument->number, actual, i),
               e = number_at(argument->number, expected, i);
        double share = share_of(a, e, most);
        others += share > 0;
        if (share > worst.share) worst = (Difference){share, i, a, e};
    }
    bool rounds = argument->number == NUMBER_I8 || argument->number == NUMBER_I32;
    if (rounds && (double)others > 1 + 0.01 * (double)argument->count) worst.share = INFINITY;
    return worst;
}
