/* tensor.h — how the numbers of a tensor are stored. */
#ifndef METAL_LLM_TENSOR_H
#define METAL_LLM_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum TensorType {
    TENSOR_F32,
    TENSOR_F16,
    TENSOR_BF16,
    TENSOR_Q4_0,
    TENSOR_Q4_1,
    TENSOR_Q5_0,
    TENSOR_Q5_1,
    TENSOR_Q8_0,
    TENSOR_Q2_K,
    TENSOR_Q3_K,
    TENSOR_Q4_K,
    TENSOR_Q5_K,
    TENSOR_Q6_K,
    TENSOR_IQ4_NL,
    TENSOR_TYPES,
} TensorType;

/* A matrix [rows, columns] = [out, in], or a vector with rows = 1. */
typedef struct Tensor {
    TensorType type;
    uint32_t rows, columns;
    bool transposed;  /* stored as [columns, rows], as Hugging Face's Conv1D does */
    const void *data; /* inside the mapped file, perhaps misaligned */
} Tensor;

/* Name of a type ("q8_0"), how many neighbours in a row are stored together (1 for floats), and
 * bytes of a row of `columns` elements; 0 where that is no whole number of blocks. */
const char *tensor_type_name(TensorType type);
uint32_t tensor_type_block(TensorType type);
size_t tensor_row_bytes(TensorType type, uint32_t columns);
/* GGUF's number of a type, and llama.cpp's of a file most of whose bytes are of it; false if no
 * type that is supported has this number. */
uint32_t tensor_type_gguf(TensorType type);
uint32_t tensor_type_file(TensorType type);
bool tensor_type_from_gguf(uint32_t number, TensorType *type);
/* Whether elements are stored one by one: f32, f16, bf16. */
bool type_is_float(TensorType type);
/* Number of elements, and bytes as stored. Neither overflows: both factors have 32 bits. */
size_t tensor_count(const Tensor *tensor);
size_t tensor_bytes(const Tensor *tensor);

#endif
