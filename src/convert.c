#include "convert.h"

#include "checkpoint/gguf_write.h"
#include "checkpoint/values.h"
#include "device.h"
#include "tokenizer_texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Converter {
    const ConvertOptions *options;
    Device *device; /* dequantises; opened when the first packed tensor comes */
    size_t done;    /* weights */
} Converter;

/* --- rows of a tensor as floats --- */

/* By squares, so that both sides of a transposition stay in cache. */
static void read_floats(const Tensor *source, uint32_t first, uint32_t rows, float *floats) {
    enum { SQUARE = 32 };
    for (size_t top = 0; top < rows; top += SQUARE)
        for (size_t left = 0; left < source->columns; left += SQUARE)
            for (size_t row = top; row < rows && row < top + SQUARE; row++)
                for (size_t column = left; column < source->columns && column < left + SQUARE;
                     column++)
                    floats[row * source->columns + column] =
                        float_from(source->type, tensor_element(source, first + row, column));
}

/* By the kernel that the pipeline uses too. */
static bool dequantise(Converter *converter, const Tensor *source, uint32_t first, uint32_t rows,
                       float *floats, LLMError *error) {
    if (!converter->device) converter->device = device_open("cpu", NULL, error);
    if (!converter->device) return false;
    size_t row_bytes = tensor_row_bytes(source->type, source->columns);
    uint32_t count = rows * source->columns;
    DeviceBuffer *packed = device_buffer_new(converter->device, rows * row_bytes);
    DeviceBuffer *unpacked = device_buffer_new(converter->device, count * sizeof *floats);
    char kernel[32];
    snprintf(kernel, sizeof kernel, "dequantise_%s", tensor_type_name(source->type));
    device_write(packed, 0, (const char *)source->data + first * row_bytes, rows * row_bytes);
    dispatch(converter->device, kernel, grid_simdgroups(count / tensor_type_block(source->type)),
             arg_buffer(packed, 0), arg_buffer(unpacked, 0), arg_u32(count));
    device_read(unpacked, 0, floats, count * sizeof *floats);
    device_buffer_free(packed);
    device_buffer_free(unpacked);
    return !device_failed(converter->device, error);
}

static bool read_rows(Converter *converter, const Tensor *source, uint32_t first, uint32_t rows,
                      float *floats, LLMError *error) {
    if (!type_is_float(source->type))
        return dequantise(converter, source, first, rows, floats, error);
    read_floats(source, first, rows, floats);
    return true;
}

/* --- the writer's callback --- */

static bool convert_rows(Converter *converter, const Tensor *source, TensorType type,
                         uint32_t first, uint32_t rows, void *out, LLMError *error) {
    size_t count = (size_t)rows * source->columns;
    float *floats = malloc(count * sizeof *floats);
    if (!floats) return error_memory(error, count * sizeof *floats);
    bool read = read_rows(converter, source, first, rows, floats, error);
    bool stored = read && values_store(type, floats, count, out);
    free(floats);
    if (read && !stored)
        error_set(
            error, LLM_ERROR_NUMERIC,
            "a weight is infinite or not a number, which %s cannot store: the model is damaged",
            tensor_type_name(type));
    return stored;
}

static bool fill(void *user, const Tensor *source, TensorType type, uint32_t first, uint32_t rows,
                 void *out, LLMError *error) {
    Converter *converter = user;
    size_t row_bytes = tensor_row_bytes(type, source->columns);
    if (source->type == type && !source->transposed)
        memcpy(out, (const char *)source->data + first * row_bytes, rows * row_bytes);
    else if (!convert_rows(converter, source, type, first, rows, out, error))
        return false;
    converter->done += (size_t)rows * source->columns;
    if (converter->options->progress)
        converter->options->progress(converter->options->user, converter->done);
    return true;
}

/* --- the whole model --- */

static TensorType embedding_type(const Checkpoint *checkpoint, TensorType type) {
    if (type != TENSOR_Q4_0) return type;
    return tensor_row_bytes(TENSOR_Q6_K, checkpoint->config.channels) ? TENSOR_Q6_K : TENSOR_Q8_0;
}

bool convert_to_gguf(const Checkpoint *checkpoint, const char *path, const ConvertOptions *options,
                     LLMError *error) {
    Converter converter = {.options = options};
    TokenizerTexts texts = {0};
    bool done = !checkpoint->tokenizer || tokenizer_texts(checkpoint->tokenizer, &texts, error);
    const GGUFVocabulary vocabulary = {.tokens = texts.tokens,
                                       .special = texts.special,
                                       .token_count = texts.token_count,
                                       .merges = texts.merges,
                                       .merge_count = texts.merge_count};
    const GGUFOptions writer = {.matrices = options->type,
                                .embeddings = embedding_type(checkpoint, options->type),
                                .vocabulary = checkpoint->tokenizer ? &vocabulary : NULL,
                                .fill = fill,
                                .user = &converter};
    done = done && gguf_write(path, checkpoint, &writer, error);
    tokenizer_texts_free(&texts);
    device_close(converter.device);
    return done;
}
