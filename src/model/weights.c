#include "weights.h"

#include "checkpoint/values.h"
#include "device/thread_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct Loader {
    Weights *weights;
    Device *device;
    ThreadPool *pool; /* started when the first tensor needs converting */
    bool halves;      /* wanted of block formats */
    float epsilon;    /* of all norms */
    LLMError *error;
} Loader;

/* --- conversion: any float type to f32, and [in, out] to [out, in] --- */

enum { ROWS_PER_CHUNK = 32 };

typedef struct Conversion {
    const Tensor *tensor;
    TensorType type; /* of the result: f32, or f16 if the tensor is */
    unsigned char *out;
} Conversion;

static void convert_element(const Conversion *conversion, size_t row, size_t column) {
    const Tensor *tensor = conversion->tensor;
    const unsigned char *source = tensor_element(tensor, row, column);
    size_t to = row * tensor->columns + column;
    if (conversion->type == TENSOR_F16) {
        memcpy(conversion->out + to * 2, source, 2);
    } else {
        float value = float_from(tensor->type, source);
        memcpy(conversion->out + to * 4, &value, 4);
    }
}

/* A block of rows, by squares, so that both sides of a transposition stay in cache. */
static void convert_rows(void *context, uint32_t job, uint32_t begin, uint32_t end) {
    (void)job;
    const Conversion *conversion = context;
    const Tensor *tensor = conversion->tensor;
    size_t first = (size_t)begin * ROWS_PER_CHUNK, last = (size_t)end * ROWS_PER_CHUNK;
    if (last > tensor->rows) last = tensor->rows;
    for (size_t square = 0; square < tensor->columns; square += ROWS_PER_CHUNK) {
        size_t stop = square + ROWS_PER_CHUNK;
        if (stop > tensor->columns) stop = tensor->columns;
        for (size_t row = first; row < last; row++)
            for (size_t column = square; column < stop; column++)
                convert_element(conversion, row, column);
    }
}

static void *keep(Loader *loader, size_t bytes) {
    Weights *weights = loader->weights;
    size_t count = weights->converted_count;
    ConvertedTensor *converted = realloc(weights->converted, (count + 1) * sizeof *converted);
    if (!converted) return error_memory(loader->error, (count + 1) * sizeof *converted);
    weights->converted = converted;
    void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return error_memory(loader->error, bytes);
    weights->converted[weights->converted_count++] = (ConvertedTensor){data, bytes};
    return data;
}

static DeviceBuffer *convert(Loader *loader, const Tensor *tensor, TensorType type) {
    size_t bytes = tensor_row_bytes(type, tensor->columns) * tensor->rows;
    Conversion conversion = {tensor, type, keep(loader, bytes)};
    if (!conversion.out) return NULL;
    if (!loader->pool) loader->pool = thread_pool_new(0, loader->error);
    uint32_t chunks = (tensor->rows + ROWS_PER_CHUNK - 1) / ROWS_PER_CHUNK;
    if (!loader->pool ||
        !thread_pool_run(loader->pool, 1, &chunks, convert_rows, &conversion, loader->error))
        return NULL;
    return device_buffer_wrap(loader->device, conversion.out, bytes);
}

/* --- tensors --- */

/* Alignment that a kernel needs to read blocks of this type, or four neighbours at a time. */
static size_t alignment(TensorType type) {
    return type_is_float(type) ? 4 * sizeof(float) : 2;
}

static bool usable_in_place(const Tensor *tensor) {
    return !tensor->transposed && tensor->type != TENSOR_BF16 &&
           (uintptr_t)tensor->data % alignment(tensor->type) == 0;
}

void weights_dequantise(Device *device, const Matrix *matrix, DeviceBuffer *floats) {
    uint32_t count = matrix->rows * matrix->columns, block = tensor_type_block(matrix->type);
    char kernel[32];
    snprintf(kernel, sizeof kernel, "dequantise_%s", tensor_type_name(matrix->type));
    dispatch(device, kernel, block > 1 ? grid_simdgroups(count / block) : grid_threads(count, 1, 1),
             arg_buffer(matrix->buffer, 0), arg_part(floats, 0, count * sizeof(float)),
             arg_u32(count));
}

/* Blocks to halves, on the device and by its kernels. */
static bool to_halves(Loader *loader, Matrix *matrix) {
    Device *device = loader->device;
    uint32_t count = matrix->rows * matrix->columns;
    DeviceBuffer *floats = device_buffer_new(device, count * sizeof(float)),
                 *halves = device_buffer_new(device, count * (size_t)2);
    weights_dequantise(device, matrix, floats);
    dispatch(device, "convert_f16", grid_threads(count, 1, 1), arg_buffer(floats, 0),
             arg_buffer(halves, 0), arg_u32(count));
    device_wait(device, device_submit(device));
    device_buffer_free(floats);
    device_buffer_free(matrix->buffer);
    *matrix = (Matrix){halves, TENSOR_F16, matrix->rows, matrix->columns};
    return !device_failed(device, loader->error);
}

static bool load_matrix(Loader *loader, Matrix *matrix, const Tensor *tensor) {
    *matrix = (Matrix){NULL, tensor->type, tensor->rows, tensor->columns};
    if (tensor->type == TENSOR_BF16) matrix->type = TENSOR_F32;
    if (usable_in_place(tensor))
        matrix->buffer = device_buffer_wrap(loader->device, tensor->data, tensor_bytes(tensor));
    else if (type_is_float(tensor->type))
        matrix->buffer = convert(loader, tensor, matrix->type);
    else
        return error_set(loader->error, LLM_ERROR_FORMAT, "a %s tensor is misaligned in its file",
                         tensor_type_name(tensor->type));
    if (loader->halves && matrix->buffer && !type_is_float(matrix->type) &&
        !to_halves(loader, matrix))
        return false;
    loader->weights->parameters += tensor_count(tensor);
    if (matrix->buffer) loader->weights->bytes += device_buffer_size(matrix->buffer);
    return matrix->buffer != NULL;
}

/* A vector, or a table that is read element by element: always f32. */
static bool load_floats(Loader *loader, DeviceBuffer **buffer, const Tensor *tensor) {
    if (!type_is_float(tensor->type))
        return error_set(
            loader->error, LLM_ERROR_FORMAT,
            "a bias, layernorm or position tensor is stored as %s; it must be a float type",
            tensor_type_name(tensor->type));
    if (tensor->type == TENSOR_F32 && usable_in_place(tensor))
        *buffer = device_buffer_wrap(loader->device, tensor->data, tensor_bytes(tensor));
    else
        *buffer = convert(loader, tensor, TENSOR_F32);
    loader->weights->parameters += tensor_count(tensor);
    if (*buffer) loader->weights->bytes += device_buffer_size(*buffer);
    return *buffer != NULL;
}

static bool load_norm(Loader *loader, Norm *norm, const Tensor *weight, const Tensor *bias) {
    norm->epsilon = loader->epsilon;
    return load_floats(loader, &norm->weight, weight) && load_floats(loader, &norm->bias, bias);
}

static bool load_product(Loader *loader, Product *product, const Tensor *weight,
                         const Tensor *bias) {
    product->parts = 1;
    return load_matrix(loader, &product->part[0], weight) &&
           load_floats(loader, &product->bias[0], bias);
}

static bool load_layer(Loader *loader, LayerWeights *layer, const LayerTensors *tensors) {
    return load_norm(loader, &layer->attention_norm, &tensors->attention_norm_weight,
                     &tensors->attention_norm_bias) &&
           load_product(loader, &layer->qkv, &tensors->qkv_weight, &tensors->qkv_bias) &&
           load_product(loader, &layer->projection, &tensors->projection_weight,
                        &tensors->projection_bias) &&
           load_norm(loader, &layer->mlp_norm, &tensors->mlp_norm_weight,
                     &tensors->mlp_norm_bias) &&
           load_product(loader, &layer->up, &tensors->up_weight, &tensors->up_bias) &&
           load_product(loader, &layer->down, &tensors->down_weight, &tensors->down_bias);
}

/* The rows beyond the vocabulary are padding (llm.c): they are never looked at. */
static Tensor cropped(Tensor tensor, uint32_t vocabulary) {
    if (!tensor.transposed && tensor.rows > vocabulary) tensor.rows = vocabulary;
    return tensor;
}

static bool load_all(Loader *loader, const Checkpoint *checkpoint) {
    Weights *weights = loader->weights;
    uint32_t vocabulary = checkpoint->config.vocabulary;
    Tensor embedding = cropped(checkpoint->token_embedding, vocabulary);
    if (!load_matrix(loader, &weights->token_embedding, &embedding) ||
        !load_floats(loader, &weights->position_embedding, &checkpoint->position_embedding))
        return false;
    for (uint32_t l = 0; l < weights->layers; l++)
        if (!load_layer(loader, &weights->layer[l], &checkpoint->layer[l])) return false;
    if (!load_norm(loader, &weights->output_norm, &checkpoint->output_norm_weight,
                   &checkpoint->output_norm_bias))
        return false;
    weights->output =
        (Product){.part = {weights->token_embedding}, .parts = 1, .stays_packed = true};
    if (!checkpoint->output.data) return true;
    Tensor output = cropped(checkpoint->output, vocabulary);
    return load_matrix(loader, &weights->output.part[0], &output);
}

/* Call `visit` with every matrix of the layers until it returns false. */
static bool each_matrix(const Weights *weights, bool (*visit)(const Matrix *, void *),
                        void *context) {
    for (uint32_t l = 0; l < weights->layers; l++) {
        const LayerWeights *layer = &weights->layer[l];
        const Product *products[] = {&layer->qkv, &layer->projection, &layer->up, &layer->down};
        for (size_t i = 0; i < sizeof products / sizeof *products; i++)
            for (uint32_t part = 0; part < products[i]->parts; part++)
                if (!visit(&products[i]->part[part], context)) return false;
    }
    return true;
}

static bool note_packed(const Matrix *matrix, void *largest) {
    size_t count = (size_t)matrix->rows * matrix->columns;
    if (matrix->type != TENSOR_F32 && count > *(size_t *)largest) *(size_t *)largest = count;
    return true;
}

bool weights_load(Weights *weights, const Checkpoint *checkpoint, Device *device, bool halves,
                  LLMError *error) {
    const ModelConfig *config = &checkpoint->config;
    *weights = (Weights){.layers = config->layers};
    weights->layer = calloc(config->layers, sizeof *weights->layer);
    if (!weights->layer) return error_memory(error, config->layers * sizeof *weights->layer);
    Loader loader = {.weights = weights,
                     .device = device,
                     .halves = halves,
                     .epsilon = config->epsilon,
                     .error = error};
    bool loaded = load_all(&loader, checkpoint);
    thread_pool_free(loader.pool);
    each_matrix(weights, note_packed, &weights->largest_packed);
    if (!loaded) device_failed(device, error);
    return loaded;
}

typedef struct Suits {
    bool (*suits)(const Matrix *matrix);
} Suits;

static bool ask(const Matrix *matrix, void *context) {
    return ((const Suits *)context)->suits(matrix);
}

bool weights_all(const Weights *weights, bool (*suits)(const Matrix *matrix)) {
    return suits(&weights->output.part[0]) && each_matrix(weights, ask, &(Suits){suits});
}

static void free_norm(Norm *norm) {
    device_buffer_free(norm->weight);
    device_buffer_free(norm->bias);
}

static void free_product(Product *product) {
    for (uint32_t part = 0; part < product->parts; part++) {
        device_buffer_free(product->part[part].buffer);
        device_buffer_free(product->bias[part]);
    }
}

static void free_layer(LayerWeights *layer) {
    free_norm(&layer->attention_norm);
    free_product(&layer->qkv);
    free_product(&layer->projection);
    free_norm(&layer->mlp_norm);
    free_product(&layer->up);
    free_product(&layer->down);
}

void weights_free(Weights *weights) {
    if (weights->output.part[0].buffer != weights->token_embedding.buffer)
        free_product(&weights->output);
    device_buffer_free(weights->token_embedding.buffer);
    device_buffer_free(weights->position_embedding);
    if (weights->layer)
        for (uint32_t l = 0; l < weights->layers; l++)
            free_layer(&weights->layer[l]);
    free_norm(&weights->output_norm);
    for (size_t i = 0; i < weights->converted_count; i++)
        munmap(weights->converted[i].data, weights->converted[i].size);
    free(weights->converted);
    free(weights->layer);
    *weights = (Weights){0};
}
