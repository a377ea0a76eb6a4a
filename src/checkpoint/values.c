#include "values.h"

#include "quantise.h"

#include <math.h>
#include <string.h>

/* --- half precision --- */

static float half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, rest = half & 1023;
    if (exponent == 0) return float_of(sign | bits_of((float)rest * 0x1p-24f)); /* subnormal */
    return float_of(sign | (exponent == 31 ? 255 : exponent + 112) << 23 | rest << 13);
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

/* Where a block has the scale of its values and what is taken off or added to them, as halves, and
 * how far from 0 the multiples of both may be. */
static const struct {
    unsigned char scale, least;
    float most, most_of_least;
} block_bounds[TENSOR_TYPES] = {
    [TENSOR_Q4_0] = {.scale = 0, .most = 8},
    [TENSOR_Q4_1] = {.scale = 0, .most = 15, .least = 2, .most_of_least = 1},
    [TENSOR_Q5_0] = {.scale = 0, .most = 16},
    [TENSOR_Q5_1] = {.scale = 0, .most = 31, .least = 2, .most_of_least = 1},
    [TENSOR_Q8_0] = {.scale = 0, .most = 128},
    [TENSOR_Q2_K] = {.scale = 80, .most = 15 * 3, .least = 82, .most_of_least = 15},
    [TENSOR_Q3_K] = {.scale = 108, .most = 32 * 4},
    [TENSOR_Q4_K] = {.scale = 0, .most = 63 * 15, .least = 2, .most_of_least = 63},
    [TENSOR_Q5_K] = {.scale = 0, .most = 63 * 31, .least = 2, .most_of_least = 63},
    [TENSOR_Q6_K] = {.scale = 208, .most = 128 * 32},
    [TENSOR_IQ4_NL] = {.scale = 0, .most = 127},
};

/* A bound of a value that is stored by itself is its size. */
static float block_bound(TensorType type, const unsigned char *block) {
    if (type_is_float(type)) return fabsf(float_from(type, block));
    float most = block_bounds[type].most, most_of_least = block_bounds[type].most_of_least;
    float bound = fabsf(half_at(block + block_bounds[type].scale)) * most;
    if (most_of_least > 0.0f)
        bound += fabsf(half_at(block + block_bounds[type].least)) * most_of_least;
    return bound;
}

void values_set_scales(TensorType type, void *stored, size_t blocks) {
    size_t bytes = tensor_row_bytes(type, tensor_type_block(type));
    float most = block_bounds[type].most, most_of_least = block_bounds[type].most_of_least;
    for (unsigned char *block = stored; blocks--; block += bytes) {
        store_half(2.0f / most, block + block_bounds[type].scale);
        if (most_of_least > 0.0f)
            store_half(1.0f / most_of_least, block + block_bounds[type].least);
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
