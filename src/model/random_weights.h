/* random_weights.h — numbers for a model that is there for its shape alone. */
#ifndef METAL_LLM_RANDOM_WEIGHTS_H
#define METAL_LLM_RANDOM_WEIGHTS_H

#include "checkpoint/tensor.h"
#include "device/device.h"

/* Blocks of each type, made when the first tensor of the type comes, and repeated. Zero-initialise;
 * release with random_weights_free. */
typedef struct RandomWeights {
    unsigned char *blocks[TENSOR_TYPES];
} RandomWeights;

/* A buffer with a matrix like `tensor`, which has no data; NULL and `error` on failure. */
DeviceBuffer *random_weights_matrix(RandomWeights *weights, Device *device, const Tensor *tensor,
                                    LLMError *error);
/* A buffer of `count` floats, each `value`. */
DeviceBuffer *random_weights_vector(Device *device, size_t count, float value, LLMError *error);
void random_weights_free(RandomWeights *weights);

#endif
