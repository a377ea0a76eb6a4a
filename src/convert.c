#include "convert.h"

#include "checkpoint/values.h"
#include "device/device.h"
#include "device/thread_pool.h"
#include "model/gguf_write.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Converter {
    const ConvertOptions *options;
    ThreadPool *pool;
    Device *device; /* dequantises; opened when the first packed tensor comes */
    size_t done;    /* weights */
} Converter;

/* Threads take rows by so many, which is also the square in which matrices are transposed. */
enum { SQUARE = 32 };

/* --- rows of a tensor as floats --- */

/* At most SQUARE rows, by squares, so that both sides of a transposition stay in cache. */
static void read_floats(const Tensor *source, uint32_t first, uint32_t rows, float *floats) {
    for (size_t left = 0; left < source->columns; left += SQUARE)
        for (size_t row = 0; row < rows; row++)
            for (size_t column = left; column < source->columns && column < left + SQUARE; column++)
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

/* --- the writer's callback --- */

/* Rows of a tensor on their way into a file. */
typedef struct Rows {
    const Tensor *source;
    TensorType type; /* that they get */
    uint32_t first, count;
    float *floats;      /* [count, columns]; of packed types they are there already */
    unsigned char *out; /* [count, row bytes] */
    _Atomic size_t bad; /* the first of the floats that the type cannot hold */
} Rows;

static void note_bad(Rows *rows, size_t index) {
    size_t bad = rows->bad;
    while (index < bad && !atomic_compare_exchange_weak(&rows->bad, &bad, index))
        ;
}

static void convert_squares(void *context, uint32_t job, uint32_t begin, uint32_t end) {
    (void)job;
    Rows *rows = context;
    size_t columns = rows->source->columns, row_bytes = tensor_row_bytes(rows->type, columns);
    for (uint32_t row = begin * SQUARE; row < end * SQUARE && row < rows->count; row += SQUARE) {
        uint32_t count = rows->count - row < SQUARE ? rows->count - row : SQUARE;
        float *floats = rows->floats + row * columns;
        if (type_is_float(rows->source->type))
            read_floats(rows->source, rows->first + row, count, floats);
        size_t stored =
            values_store(rows->type, floats, count * columns, rows->out + row * row_bytes);
        if (stored < count * columns) note_bad(rows, row * columns + stored);
    }
}

static bool fail_at(const Rows *rows, const char *name, LLMError *error) {
    float value = rows->floats[rows->bad];
    size_t row = rows->first + rows->bad / rows->source->columns;
    const char *type = tensor_type_name(rows->type);
    if (!isfinite(value))
        return error_set(error, LLM_ERROR_NUMERIC,
                         "%s, row %zu: a weight is %s, which %s cannot hold: the model is damaged",
                         name, row, isnan(value) ? "not a number" : "infinite", type);
    return error_set(error, LLM_ERROR_NUMERIC,
                     "%s, row %zu: the weight %g is too large for %s; f32 holds it (--type f32)",
                     name, row, (double)value, type);
}

static bool convert_rows(Converter *converter, const char *name, Rows *rows, LLMError *error) {
    uint32_t squares = (rows->count + SQUARE - 1) / SQUARE;
    if (!type_is_float(rows->source->type) &&
        !dequantise(converter, rows->source, rows->first, rows->count, rows->floats, error))
        return false;
    if (!thread_pool_run(converter->pool, 1, &squares, convert_squares, rows, error)) return false;
    return rows->bad == SIZE_MAX || fail_at(rows, name, error);
}

static bool fill(void *user, const char *name, const Tensor *source, TensorType type,
                 uint32_t first, uint32_t rows, void *out, LLMError *error) {
    Converter *converter = user;
    size_t row_bytes = tensor_row_bytes(type, source->columns);
    size_t weights = (size_t)rows * source->columns;
    if (source->type == type && !source->transposed) {
        memcpy(out, (const char *)source->data + first * row_bytes, rows * row_bytes);
    } else {
        float *floats = malloc(weights * sizeof *floats);
        if (!floats) return error_memory(error, weights * sizeof *floats);
        Rows converted = {source, type, first, rows, floats, out, SIZE_MAX};
        bool done = convert_rows(converter, name, &converted, error);
        free(floats);
        if (!done) return false;
    }
    converter->done += weights;
    if (converter->options->progress)
        converter->options->progress(converter->options->user, converter->done);
    return true;
}

/* --- the whole model --- */

/* llama.cpp's 4 and 5 bits have 6 for the token embedding and the output. */
static Mixture mixture_of(const ConvertOptions *options) {
    bool few_bits = options->type == TENSOR_Q4_0 || options->type == TENSOR_Q4_K ||
                    options->type == TENSOR_Q5_K;
    return (Mixture){options->type, few_bits ? TENSOR_Q6_K : options->type, options->finer};
}

TensorType convert_type(const ModelFile *model, const ConvertOptions *options,
                        const ModelTensor *tensor, TensorType *wanted) {
    Mixture mixture = mixture_of(options);
    *wanted = mixture_wanted(&mixture, model, tensor);
    return mixture_type(&mixture, model, tensor);
}

bool convert_to_gguf(const ModelFile *model, const char *path, const ConvertOptions *options,
                     LLMError *error) {
    Converter converter = {.options = options};
    GGUFTokenizer tokenizer = {0};
    const LLMError *problem = model->tokenizer_problem;
    if (problem->status) return error_set(error, problem->status, "%s", problem->message);
    bool done = !model->tokenizer || tokenizer_to_gguf(model->tokenizer, &tokenizer, error);
    const GGUFOptions writer = {.types = mixture_of(options),
                                .tokenizer = model->tokenizer ? &tokenizer : NULL,
                                .fill = fill,
                                .user = &converter};
    converter.pool = done ? thread_pool_new(0, error) : NULL;
    done = converter.pool && gguf_write(path, model, &writer, error);
    gguf_tokenizer_free(&tokenizer);
    device_close(converter.device);
    thread_pool_free(converter.pool);
    return done;
}
