#include "rope.h"

#include <math.h>

static const double two_pi = 6.283185307179586;

/* base^(-2i / dims), rounded once. */
static void unscaled(uint32_t dims, float base, float *frequencies) {
    for (uint32_t i = 0; i < dims / 2; i++)
        frequencies[i] = (float)(1 / pow((double)base, 2.0 * i / dims));
}

void rope_llama3_factors(const RopeConfig *rope, float *factors) {
    double factor = (double)rope->factor, context = rope->original_context;
    double low = (double)rope->low_frequency, high = (double)rope->high_frequency;
    unscaled(rope->dims, rope->base, factors);
    for (uint32_t i = 0; i < rope->dims / 2; i++) {
        double wavelength = two_pi / (double)factors[i];
        double smooth = (context / wavelength - low) / (high - low);
        if (wavelength < context / high)
            factors[i] = 1;
        else if (wavelength > context / low)
            factors[i] = rope->factor;
        else
            factors[i] = (float)(1 / ((1 - smooth) / factor + smooth));
    }
}

/* The pair that turns so often within the original context. */
static double turning_pair(const RopeConfig *rope, float rotations) {
    double turns = rope->original_context / ((double)rotations * two_pi);
    return rope->dims * log(turns) / (2 * log((double)rope->base));
}

/* Pairs that turn fast keep their frequency, slow ones have it divided; between is a ramp. */
static void scale_yarn(const RopeConfig *rope, float *frequencies) {
    double low = turning_pair(rope, rope->beta_fast), high = turning_pair(rope, rope->beta_slow);
    if (rope->truncate) low = floor(low), high = ceil(high);
    low = fmax(low, 0), high = fmin(high, rope->dims - 1.0);
    if (low == high) high += 0.001;
    for (uint32_t i = 0; i < rope->dims / 2; i++) {
        double ramp = fmin(fmax((i - low) / (high - low), 0), 1), exact = (double)frequencies[i];
        frequencies[i] = (float)(exact / (double)rope->factor * ramp + exact * (1 - ramp));
    }
}

void rope_frequencies(const RopeConfig *rope, const float *factors, float *frequencies) {
    unscaled(rope->dims, rope->base, frequencies);
    for (uint32_t i = 0; i < rope->dims / 2 && factors; i++)
        frequencies[i] /= factors[i];
    for (uint32_t i = 0; i < rope->dims / 2 && rope->scaling == ROPE_LINEAR; i++)
        frequencies[i] /= rope->factor;
    if (rope->scaling == ROPE_YARN) scale_yarn(rope, frequencies);
}

void rope_local_frequencies(const RopeConfig *rope, float *frequencies) {
    unscaled(rope->dims, rope->local_base, frequencies);
}

float rope_magnitude(const RopeConfig *rope) {
    float own = rope->attention_factor > 0 ? rope->attention_factor : 1;
    return rope->scaling == ROPE_YARN && rope->factor > 1 ? own * (0.1f * logf(rope->factor) + 1)
                                                          : own;
}
