#include "values.h"

#include <math.h>
#include <string.h>

/* --- half precision --- */

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, rest = half & 1023;
    if (exponent == 0) return float_of(sign | bits_of((float)rest * 0x1p-24f)); /* subnormal */
    return float_of(sign | (exponent == 31 ? 255 : exponent + 112) << 23 | rest << 13);
}

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

/* --- floats as stored --- */

const unsigned char *tensor_element(const Tensor *tensor, size_t row, size_t column) {
    size_t size = tensor->type == TENSOR_F32 ? 4 : 2;
    size_t index =
        tensor->transposed ? column * tensor->rows + row : row * tensor->columns + column;
    return (const unsigned char *)tensor->data + index * size;
}

float float_from(TensorType type, const unsigned char *stored) {
    uint16_t half;
    float value;
    if (type == TENSOR_F32) {
        memcpy(&value, stored, sizeof value);
        return value;
    }
    memcpy(&half, stored, sizeof half);
    return type == TENSOR_F16 ? half_to_float(half) : float_of((uint32_t)half << 16);
}

static float half_at(const unsigned char *stored) {
    return float_from(TENSOR_F16, stored);
}

/* The largest multiple of a block's scale, which values are, perhaps added to its minimum. */
static float block_bound(TensorType type, const unsigned char *block) {
    float scale = fabsf(half_at(block)), minimum = fabsf(half_at(block + 2));
    switch (type) {
    case TENSOR_Q4_0:
        return scale * 8.0f;
    case TENSOR_Q4_1:
        return scale * 15.0f + minimum;
    case TENSOR_Q5_0:
        return scale * 16.0f;
    case TENSOR_Q5_1:
        return scale * 31.0f + minimum;
    case TENSOR_Q8_0:
        return scale * 128.0f;
    default: /* q6_K: 16 scales of 8 bits behind 192 bytes, and theirs */
        scale = 0.0f;
        for (size_t i = 0; i < 16; i++)
            scale = fmaxf(scale, fabsf((float)(int8_t)block[192 + i]));
        return scale * 32.0f * fabsf(half_at(block + 208));
    }
}

float row_bound(const Tensor *tensor, uint32_t row) {
    size_t bytes = tensor_row_bytes(tensor->type, tensor->columns);
    size_t block_bytes = tensor_row_bytes(tensor->type, tensor_type_block(tensor->type));
    const unsigned char *blocks = (const unsigned char *)tensor->data + row * bytes;
    float bound = 0.0f;
    for (size_t at = 0; at < bytes && !isnan(bound); at += block_bytes) {
        float own = block_bound(tensor->type, blocks + at);
        if (!(own <= bound)) bound = own;
    }
    return bound;
}

/* False if a finite value becomes an infinity. */
static bool store_half(float value, unsigned char *stored) {
    uint16_t half = float_to_half(value);
    memcpy(stored, &half, sizeof half);
    return fabsf(value) < HALF_LIMIT || !isfinite(value);
}

/* --- block formats: kernels/linear_q8_0.metal and its siblings show their layouts --- */

/* Each stores a block of finite values; false if its scale is too large for a half. */
typedef bool StoreBlock(const float *values, unsigned char *stored);

/* The value furthest from 0, the first of several. */
static float extreme(const float *values, size_t count) {
    float result = 0.0f;
    for (size_t i = 0; i < count; i++)
        if (fabsf(values[i]) > fabsf(result)) result = values[i];
    return result;
}

/* 1 / scale; 0 for a scale so small that its half is 0. */
static float inverse(float scale) {
    float result = scale == 0.0f ? 0.0f : 1.0f / scale;
    return isfinite(result) ? result : 0.0f;
}

static bool store_q8_0(const float values[32], unsigned char *stored) {
    float scale = fabsf(extreme(values, 32)) / 127.0f, multiplier = inverse(scale);
    if (!store_half(scale, stored)) return false;
    for (size_t i = 0; i < 32; i++)
        stored[2 + i] = (unsigned char)(int)roundf(values[i] * multiplier);
    return true;
}

static unsigned nibble(float value, float multiplier) {
    float scaled = value * multiplier; /* by itself: no fused multiply-add, which rounds once */
    float shifted = scaled + 8.5f;
    return shifted < 15.0f ? (unsigned)shifted : 15;
}

/* The value furthest from 0 becomes −8. */
static bool store_q4_0(const float values[32], unsigned char *stored) {
    float scale = extreme(values, 32) / -8.0f, multiplier = inverse(scale);
    if (!store_half(scale, stored)) return false;
    for (size_t i = 0; i < 16; i++)
        stored[2 + i] = (unsigned char)(nibble(values[i], multiplier) |
                                        nibble(values[16 + i], multiplier) << 4);
    return true;
}

/* --- q6_K: scales are sought, not just taken from the largest value --- */

static float rounded_to(float value, float least, float most) {
    return fminf(fmaxf(rintf(value), least), most);
}

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
    float furthest = extreme(values, 16), best = -1.0f, result = 0.0f;
    if (fabsf(furthest) < 1e-15f) return 0.0f;
    for (int tenth = -9; tenth <= 9; tenth++) {
        float explained;
        float scale = fit_scale(values, -(32.0f + 0.1f * (float)tenth) / furthest, &explained);
        if (explained > best) best = explained, result = scale;
    }
    return result;
}

/* Multiple i of a block, 0 … 63, to its nibble and its two upper bits. */
static void store_multiple(unsigned multiple, size_t i, unsigned char *stored) {
    size_t half = i / 128, quarter = i % 128 / 32, byte = i % 32;
    stored[half * 64 + quarter % 2 * 32 + byte] |=
        (unsigned char)((multiple & 15) << quarter / 2 * 4);
    stored[128 + half * 32 + byte] |= (unsigned char)(multiple >> 4 << 2 * quarter);
}

/* The scales of larger values, which are about a 31st of them, might be too large. */
static const float q6_k_most = 30.0f * 128.0f * 65504.0f;

static bool store_q6_k(const float values[256], unsigned char *stored) {
    enum { SCALES = 128 + 64, D = SCALES + 16, BYTES = D + 2 };
    float scales[16];
    if (fabsf(extreme(values, 256)) > q6_k_most) return false;
    for (size_t group = 0; group < 16; group++)
        scales[group] = best_scale(values + 16 * group);
    float d = extreme(scales, 16) / -128.0f, multiplier = inverse(d);
    memset(stored, 0, BYTES);
    store_half(d, stored + D);
    d = float_from(TENSOR_F16, stored + D);
    for (size_t group = 0; group < 16; group++) {
        float scale = rounded_to(scales[group] * multiplier, -128.0f, 127.0f);
        stored[SCALES + group] = (unsigned char)(int)scale;
        for (size_t i = 16 * group; i < 16 * group + 16; i++) {
            float multiple = rounded_to(values[i] * inverse(d * scale), -32.0f, 31.0f);
            store_multiple((unsigned)(multiple + 32.0f), i, stored);
        }
    }
    return true;
}

/* --- any type --- */

static size_t store_halves(const float *values, size_t count, unsigned char *out) {
    for (size_t i = 0; i < count; i++)
        if (!store_half(values[i], out + 2 * i)) return i;
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

static size_t store_blocks(StoreBlock *store, size_t block, size_t block_bytes, const float *values,
                           size_t count, unsigned char *out) {
    for (size_t i = 0; i < count; i += block)
        if (!all_finite(values + i, block) || !store(values + i, out + i / block * block_bytes))
            return i + culprit(values + i, block);
    return count;
}

size_t values_store(TensorType type, const float *values, size_t count, void *stored) {
    switch (type) {
    case TENSOR_F32:
        memcpy(stored, values, count * sizeof *values);
        return count;
    case TENSOR_F16:
        return store_halves(values, count, stored);
    case TENSOR_Q8_0:
        return store_blocks(store_q8_0, 32, 34, values, count, stored);
    case TENSOR_Q4_0:
        return store_blocks(store_q4_0, 32, 18, values, count, stored);
    case TENSOR_Q6_K:
        return store_blocks(store_q6_k, 256, 210, values, count, stored);
    default:
        return 0;
    }
}
