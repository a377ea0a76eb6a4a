/* selftest_compare.h — whether two devices have written the same. */
#ifndef METAL_LLM_SELFTEST_COMPARE_H
#define METAL_LLM_SELFTEST_COMPARE_H

#include "selftest_launches.h"

/* The worst place of two buffers. */
typedef struct Difference {
    double share; /* of what is allowed; above 1, or NaN: too much */
    size_t at;
    double actual, expected;
} Difference;

/* Of floats the error to the largest number may be twice the tolerance, since each side has one.
 * Both NaN is the same. What quantise_activations writes (bytes, and sums of them) may be rounded
 * the other way in one place of a hundred; other integers are the same. */
Difference compare(const LaunchArgument *argument, const void *actual, const void *expected);

#endif
