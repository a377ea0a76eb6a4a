#include "random_weights.h"

#include "checkpoint/values.h"

#include <stdlib.h>

/* Whole blocks of every type, a prime number of them: rows of 256, 1,024 or 4,096 do not come again
 * soon, or tokens would be alike by the hundred. */
enum { COUNT = 4093 * 256 };

/* Uniform round 0, and as small as keeps activations of usual sizes where they are. xorshift64:
 * Marsaglia 2003. */
static void fill(float *floats) {
    uint64_t state = 0x9E3779B97F4A7C15;
    for (size_t i = 0; i < COUNT; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        floats[i] = ((float)(state >> 40) / (1 << 24) - 0.5f) * 0.07f;
    }
}

/* COUNT values as `type` stores them. */
static const unsigned char *blocks_of(RandomWeights *weights, TensorType type, LLMError *error) {
    if (weights->blocks[type]) return weights->blocks[type];
    size_t bytes = tensor_row_bytes(type, COUNT);
    float *floats = malloc(COUNT * sizeof *floats);
    unsigned char *blocks = floats ? malloc(bytes) : NULL;
    if (blocks) {
        fill(floats);
        values_store(type, floats, COUNT, blocks);
    } else {
        error_memory(error, COUNT * sizeof *floats);
    }
    free(floats);
    return weights->blocks[type] = blocks;
}

DeviceBuffer *random_weights_matrix(RandomWeights *weights, Device *device, const Tensor *tensor,
                                    LLMError *error) {
    const unsigned char *blocks = blocks_of(weights, tensor->type, error);
    size_t size = tensor_bytes(tensor), step = tensor_row_bytes(tensor->type, COUNT);
    DeviceBuffer *buffer = blocks ? device_buffer_new(device, size) : NULL;
    for (size_t at = 0; buffer && at < size; at += step)
        device_write(buffer, at, blocks, size - at < step ? size - at : step);
    return buffer;
}

DeviceBuffer *random_weights_vector(Device *device, size_t count, float value, LLMError *error) {
    float *floats = malloc(count * sizeof *floats);
    if (!floats) return error_memory(error, count * sizeof *floats);
    for (size_t i = 0; i < count; i++)
        floats[i] = value;
    DeviceBuffer *buffer = device_buffer_new(device, count * sizeof *floats);
    if (buffer) device_write(buffer, 0, floats, count * sizeof *floats);
    free(floats);
    return buffer;
}

void random_weights_free(RandomWeights *weights) {
    for (size_t type = 0; type < TENSOR_TYPES; type++)
        free(weights->blocks[type]);
}
