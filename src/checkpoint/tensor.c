#include "tensor.h"

_Static_assert(sizeof(size_t) == 8, "a product of two 32-bit sizes must fit a size_t");

static const struct {
    const char *name;
    uint32_t block_elements, block_bytes;
} types[] = {
    [TENSOR_F32] = {"f32", 1, 4},       [TENSOR_F16] = {"f16", 1, 2},
    [TENSOR_BF16] = {"bf16", 1, 2},     [TENSOR_Q4_0] = {"q4_0", 32, 18},
    [TENSOR_Q4_1] = {"q4_1", 32, 20},   [TENSOR_Q5_0] = {"q5_0", 32, 22},
    [TENSOR_Q5_1] = {"q5_1", 32, 24},   [TENSOR_Q8_0] = {"q8_0", 32, 34},
    [TENSOR_Q6_K] = {"q6_K", 256, 210},
};
_Static_assert(sizeof types / sizeof *types == TENSOR_TYPES, "a type is missing from the table");

const char *tensor_type_name(TensorType type) {
    return types[type].name;
}

uint32_t tensor_type_block(TensorType type) {
    return types[type].block_elements;
}

size_t tensor_row_bytes(TensorType type, uint32_t columns) {
    if (columns % types[type].block_elements) return 0;
    return (size_t)columns / types[type].block_elements * types[type].block_bytes;
}

bool type_is_float(TensorType type) {
    return types[type].block_elements == 1;
}

size_t tensor_count(const Tensor *tensor) {
    return (size_t)tensor->rows * tensor->columns;
}

size_t tensor_bytes(const Tensor *tensor) {
    return tensor->rows * tensor_row_bytes(tensor->type, tensor->columns);
}
