#include "tensor.h"

_Static_assert(sizeof(size_t) == 8, "a product of two 32-bit sizes must fit a size_t");

/* GGUF's number of a type, and llama.cpp's of a file most of whose bytes are of it. */
static const struct {
    const char *name;
    uint32_t block_elements, block_bytes, gguf, file;
} types[] = {
    [TENSOR_F32] = {"f32", 1, 4, 0, 0},         [TENSOR_F16] = {"f16", 1, 2, 1, 1},
    [TENSOR_BF16] = {"bf16", 1, 2, 30, 32},     [TENSOR_Q4_0] = {"q4_0", 32, 18, 2, 2},
    [TENSOR_Q4_1] = {"q4_1", 32, 20, 3, 3},     [TENSOR_Q5_0] = {"q5_0", 32, 22, 6, 8},
    [TENSOR_Q5_1] = {"q5_1", 32, 24, 7, 9},     [TENSOR_Q8_0] = {"q8_0", 32, 34, 8, 7},
    [TENSOR_Q2_K] = {"q2_K", 256, 84, 10, 10},  [TENSOR_Q3_K] = {"q3_K", 256, 110, 11, 11},
    [TENSOR_Q4_K] = {"q4_K", 256, 144, 12, 14}, [TENSOR_Q5_K] = {"q5_K", 256, 176, 13, 16},
    [TENSOR_Q6_K] = {"q6_K", 256, 210, 14, 18}, [TENSOR_IQ4_NL] = {"iq4_nl", 32, 18, 20, 25},
};
_Static_assert(sizeof types / sizeof *types == TENSOR_TYPES, "a type is missing from the table");

const char *tensor_type_name(TensorType type) {
    return types[type].name;
}

uint32_t tensor_type_block(TensorType type) {
    return types[type].block_elements;
}

uint32_t tensor_type_gguf(TensorType type) {
    return types[type].gguf;
}

uint32_t tensor_type_file(TensorType type) {
    return types[type].file;
}

bool tensor_type_from_gguf(uint32_t number, TensorType *type) {
    for (*type = 0; *type < TENSOR_TYPES; (*type)++)
        if (types[*type].gguf == number) return true;
    return false;
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
