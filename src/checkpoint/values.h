/* values.h — tensor elements as floats, and floats as a file stores them. */
#ifndef METAL_LLM_VALUES_H
#define METAL_LLM_VALUES_H

#include "tensor.h"

#include <string.h>

/* The 32 bits of a float, and back. */
static inline uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Where the element of a tensor of a float type is stored, perhaps misaligned. */
const unsigned char *tensor_element(const Tensor *tensor, size_t row, size_t column);
/* One stored element of a float type. */
float float_from(TensorType type, const unsigned char *stored);

/* Numbers from here on are infinite as halves. */
#define HALF_LIMIT 65520.0f
/* A bound of a row's values, by the scales of its blocks: none is further from 0. NaN if a scale
 * is. */
float row_bound(const Tensor *tensor, uint32_t row);

/* Round `count` values, whole blocks, to what `type` stores: f32, f16 or bf16 (to nearest, ties to
 * even), q8_0, q5_1, q5_0, q4_0, q6_K, q5_K or q4_K. The bytes of the formats of 32 are those of
 * llama.cpp's reference and of the gguf package. Returns `count`, or the index of a value that
 * `type` cannot hold: one so large that it, or its block's scale, would become an infinity, or in a
 * block one that is not finite. */
size_t values_store(TensorType type, const float *values, size_t count, void *stored);
/* Whether it can: there are formats that are only read. */
bool values_can_store(TensorType type);
/* Blocks of any bytes become blocks of numbers between −3 and 3: their scales are set. */
void values_set_scales(TensorType type, void *stored, size_t blocks);

#endif
