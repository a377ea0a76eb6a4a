/* quantise.c — floats as a file stores them: single values, and blocks of 32. */
#include "quantise.h"

#include "values.h"

#include <math.h>
#include <string.h>

/* --- halves and bf16 --- */

/* To nearest, ties to even; infinity from 65520 on. */
static uint16_t float_to_half(float value) {
    uint16_t sign = (uint16_t)(bits_of(value) >> 16 & 0x8000);
    float size = fabsf(value);
    if (isnan(value)) return sign | 0x7E00;
    if (size >= HALF_LIMIT) return sign | 0x7C00;
    /* Next to this power of two, floats are as far apart as halves next to `size`: adding rounds.
     */
    uint32_t exponent = bits_of(size) >> 23;
    float magic = float_of((exponent < 113 ? 126 : exponent + 13) << 23);
    float rounded = (size + magic) - magic;
    if (rounded < 0x1p-14f) return sign | (uint16_t)(rounded * 0x1p24f); /* subnormal */
    return sign | (uint16_t)((bits_of(rounded) >> 13) - (112 << 10));
}

bool store_half(float value, unsigned char *stored) {
    uint16_t half = float_to_half(value);
    memcpy(stored, &half, sizeof half);
    return fabsf(value) < HALF_LIMIT || !isfinite(value);
}

/* To nearest, ties to even; false if a finite value becomes an infinity. */
static bool store_bf16(float value, unsigned char *stored) {
    uint32_t bits = bits_of(value);
    uint16_t upper = (uint16_t)(bits >> 16);
    if (isnan(value))
        upper |= 64; /* whatever else its lower bits were */
    else
        upper = (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    memcpy(stored, &upper, sizeof upper);
    return (upper & 0x7FFF) != 0x7F80 || isinf(value);
}

/* --- blocks of 32: kernels/formats/q8_0.h and its siblings show their layouts --- */

float furthest_from_zero(const float *values, size_t count) {
    float result = 0.0f;
    for (size_t i = 0; i < count; i++)
        if (fabsf(values[i]) > fabsf(result)) result = values[i];
    return result;
}

float scale_inverse(float scale) {
    float result = scale == 0.0f ? 0.0f : 1.0f / scale;
    return isfinite(result) ? result : 0.0f;
}

bool store_q8_0(const float *values, unsigned char *stored) {
    float scale = fabsf(furthest_from_zero(values, 32)) / 127.0f, multiplier = scale_inverse(scale);
    if (!store_half(scale, stored)) return false;
    for (size_t i = 0; i < 32; i++)
        stored[2 + i] = (unsigned char)(int)roundf(values[i] * multiplier);
    return true;
}

/* From 0 to 2 · middle − 1; `middle` stands for 0. */
static unsigned multiple(float value, float multiplier, unsigned middle) {
    float scaled = value * multiplier; /* by itself: no fused multiply-add, which rounds once */
    float shifted = scaled + ((float)middle + 0.5f);
    unsigned most = 2 * middle - 1;
    return shifted < (float)most ? (unsigned)shifted : most;
}

/* The value furthest from 0 becomes −8. */
bool store_q4_0(const float *values, unsigned char *stored) {
    float scale = furthest_from_zero(values, 32) / -8.0f, multiplier = scale_inverse(scale);
    if (!store_half(scale, stored)) return false;
    for (size_t i = 0; i < 16; i++)
        stored[2 + i] = (unsigned char)(multiple(values[i], multiplier, 8) |
                                        multiple(values[16 + i], multiplier, 8) << 4);
    return true;
}

/* Of 16 bytes of nibbles after four of fifth bits. */
static void store_five_bits(unsigned value, size_t i, unsigned char *stored) {
    stored[i / 8] |= (unsigned char)(value >> 4 << i % 8);
    stored[4 + i % 16] |= (unsigned char)((value & 15) << i / 16 * 4);
}

/* The value furthest from 0 becomes −16. */
bool store_q5_0(const float *values, unsigned char *stored) {
    float scale = furthest_from_zero(values, 32) / -16.0f, multiplier = scale_inverse(scale);
    if (!store_half(scale, stored)) return false;
    memset(stored + 2, 0, 20);
    for (size_t i = 0; i < 32; i++)
        store_five_bits(multiple(values[i], multiplier, 16), i, stored + 2);
    return true;
}

/* From the least to the largest value. */
bool store_q5_1(const float *values, unsigned char *stored) {
    float least = values[0], most = values[0];
    for (size_t i = 0; i < 32; i++) {
        if (values[i] < least) least = values[i];
        if (values[i] > most) most = values[i];
    }
    float scale = (most - least) / 31.0f, multiplier = scale_inverse(scale);
    if (!store_half(scale, stored) || !store_half(least, stored + 2)) return false;
    memset(stored + 4, 0, 20);
    for (size_t i = 0; i < 32; i++) {
        float scaled = (values[i] - least) * multiplier;
        store_five_bits(scaled + 0.5f < 31.0f ? (unsigned)(scaled + 0.5f) : 31, i, stored + 4);
    }
    return true;
}

/* --- any type --- */

static size_t store_halves(const float *values, size_t count, unsigned char *out) {
    for (size_t i = 0; i < count; i++)
        if (!store_half(values[i], out + 2 * i)) return i;
    return count;
}

static size_t store_bf16s(const float *values, size_t count, unsigned char *out) {
    for (size_t i = 0; i < count; i++)
        if (!store_bf16(values[i], out + 2 * i)) return i;
    return count;
}

/* The first value that is not finite, else the one that the scale goes by. */
static size_t culprit(const float *values, size_t count) {
    size_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) return i;
        if (fabsf(values[i]) > fabsf(values[largest])) largest = i;
    }
    return largest;
}

static bool all_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

static bool (*const stores[TENSOR_TYPES])(const float *values, unsigned char *stored) = {
    [TENSOR_Q4_0] = store_q4_0, [TENSOR_Q5_0] = store_q5_0, [TENSOR_Q5_1] = store_q5_1,
    [TENSOR_Q8_0] = store_q8_0, [TENSOR_Q4_K] = store_q4_k, [TENSOR_Q5_K] = store_q5_k,
    [TENSOR_Q6_K] = store_q6_k,
};

static size_t store_blocks(TensorType type, const float *values, size_t count, unsigned char *out) {
    uint32_t block = tensor_type_block(type);
    size_t block_bytes = tensor_row_bytes(type, block);
    for (size_t i = 0; i < count; i += block)
        if (!all_finite(values + i, block) ||
            !stores[type](values + i, out + i / block * block_bytes))
            return i + culprit(values + i, block);
    return count;
}

bool values_can_store(TensorType type) {
    return type_is_float(type) || stores[type];
}

size_t values_store(TensorType type, const float *values, size_t count, void *stored) {
    switch (type) {
    case TENSOR_F32:
        memcpy(stored, values, count * sizeof *values);
        return count;
    case TENSOR_F16:
        return store_halves(values, count, stored);
    case TENSOR_BF16:
        return store_bf16s(values, count, stored);
    default:
        return store_blocks(type, values, count, stored);
    }
}
