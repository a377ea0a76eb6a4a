#include "weights.h"

#include "checkpoint/values.h"
#include "device/thread_pool.h"
#include "random_weights.h"
#include "rope.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef struct Loader {
    Weights *weights;
    Device *device;
    ThreadPool *pool; /* started when the first tensor needs converting */
    bool gguf;        /* the file's naming */
    Keeping keeping;  /* of block formats and bf16 */
    uint32_t channels;
    NormKind norm;
    float epsilon;         /* of all norms */
    const Tensor *factors; /* of rope, or NULL */
    RandomWeights random;  /* for tensors without data */
    LLMError *error;
} Loader;

/* --- conversion: any float type to f32, and [in, out] to [out, in] --- */

enum { ROWS_PER_CHUNK = 32 };

typedef struct Conversion {
    const Tensor *tensor;
    float more;      /* is added to each value */
    TensorType type; /* of the result: f32, or the tensor's own */
    unsigned char *out;
} Conversion;

static void convert_element(const Conversion *conversion, size_t row, size_t column) {
    const Tensor *tensor = conversion->tensor;
    const unsigned char *source = tensor_element(tensor, row, column);
    size_t to = row * tensor->columns + column;
    if (conversion->type != TENSOR_F32) {
        memcpy(conversion->out + to * 2, source, 2);
    } else {
        float value = float_from(tensor->type, source) + conversion->more;
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

/* Share chunks of ROWS_PER_CHUNK rows out among all cores. */
static bool on_rows(Loader *loader, uint32_t rows, ThreadPoolWork *work, void *context) {
    uint32_t chunks = divide_up(rows, ROWS_PER_CHUNK);
    if (!loader->pool) loader->pool = thread_pool_new(0, loader->error);
    return loader->pool && thread_pool_run(loader->pool, 1, &chunks, work, context, loader->error);
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

/* Room to keep two more buffers, so that taking them in cannot fail. */
static bool reserve_buffers(Loader *loader) {
    Weights *weights = loader->weights;
    size_t bytes = (weights->buffer_count + 2) * sizeof *weights->buffers;
    DeviceBuffer **buffers = realloc(weights->buffers, bytes);
    if (!buffers) return error_memory(loader->error, bytes);
    weights->buffers = buffers;
    return true;
}

static DeviceBuffer *convert(Loader *loader, const Tensor *tensor, TensorType type, float more) {
    size_t bytes = tensor_row_bytes(type, tensor->columns) * tensor->rows;
    Conversion conversion = {tensor, more, type, keep(loader, bytes)};
    if (!conversion.out || !on_rows(loader, tensor->rows, convert_rows, &conversion)) return NULL;
    return device_buffer_wrap(loader->device, conversion.out, bytes);
}

/* --- tensors --- */

/* Alignment that a kernel needs to read blocks of this type, or four neighbours at a time. */
static size_t alignment(TensorType type) {
    return type_is_float(type) ? 4 * tensor_row_bytes(type, 1) : 2;
}

static bool usable_in_place(const Tensor *tensor) {
    return !tensor->transposed && (uintptr_t)tensor->data % alignment(tensor->type) == 0;
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* --- halves --- */

bool type_can_halve(TensorType type) {
    return type != TENSOR_F32 && type != TENSOR_F16;
}

typedef struct Search {
    const Tensor *tensor;
    atomic_bool found;
} Search;

static void search_rows(void *context, uint32_t job, uint32_t begin, uint32_t end) {
    (void)job;
    Search *search = context;
    uint32_t last = least(end * ROWS_PER_CHUNK, search->tensor->rows);
    for (uint32_t row = begin * ROWS_PER_CHUNK; row < last && !search->found; row++)
        if (!(row_bound(search->tensor, row) < HALF_LIMIT)) search->found = true;
}

/* Whether no value, of blocks by their scales, is too large for a half. */
static bool fits_halves(Loader *loader, const Tensor *tensor, bool *fits) {
    Search search = {.tensor = tensor};
    bool searched = on_rows(loader, tensor->rows, search_rows, &search);
    *fits = !search.found;
    return searched;
}

/* Blocks as the kernels that multiply bytes read them: as they are, or with the scales apart. */
static DeviceBuffer *to_pieces(Device *device, const Matrix *matrix) {
    Planes planes = choose_planes(matrix->type);
    if (planes.size == 0) return matrix->buffer;
    size_t bytes = matrix->rows * tensor_row_bytes(matrix->type, matrix->columns);
    uint32_t count = (uint32_t)(bytes / 2);
    DeviceBuffer *pieces = device_buffer_new(device, bytes);
    Choice choice = choose_taking_apart(count);
    dispatch(device, choice.kernel, choice.grid, arg_part(matrix->buffer, 0, bytes),
             arg_part(pieces, 0, bytes), arg_u32(count), arg_u32(planes.size),
             arg_u32(planes.scale));
    return pieces;
}

/* Blocks or bf16 to halves, on the device and by its kernels, a slice at a time. */
static bool to_halves(Loader *loader, Matrix *matrix) {
    Device *device = loader->device;
    uint32_t most = least(matrix_slice(matrix), matrix->rows);
    size_t row_halves = (size_t)matrix->columns * 2;
    DeviceBuffer *floats = device_buffer_new(device, most * row_halves * 2),
                 *halves = device_buffer_new(device, matrix->rows * row_halves);
    for (uint32_t first = 0; first < matrix->rows; first += most) {
        uint32_t rows = least(most, matrix->rows - first), count = rows * matrix->columns;
        matrix_unpack_rows(device, matrix, first, rows, floats, 0);
        dispatch(device, "convert_f16", grid_threads(count, 1, 1), arg_buffer(floats, 0),
                 arg_part(halves, first * row_halves, rows * row_halves), arg_u32(count));
    }
    bool keeps = choose_pieces(loader->keeping, matrix->type, loader->channels, matrix->rows,
                               matrix->columns);
    DeviceBuffer *pieces = keeps ? to_pieces(device, matrix) : NULL;
    device_wait(device, device_submit(device));
    device_buffer_free(floats);
    if (pieces != matrix->buffer) device_buffer_free(matrix->buffer);
    *matrix = (Matrix){halves, TENSOR_F16, matrix->rows, matrix->columns, pieces, matrix->type};
    return !device_failed(device, loader->error);
}

/* A matrix with a value that no half holds stays as it is. */
static bool to_halves_if_wanted(Loader *loader, Matrix *matrix, const Tensor *tensor) {
    bool fits;
    if (loader->keeping == KEEP_STORED || !type_can_halve(matrix->type)) return true;
    if (!tensor->data) return to_halves(loader, matrix);
    if (!fits_halves(loader, tensor, &fits)) return false;
    return !fits || to_halves(loader, matrix);
}

static bool load_matrix(Loader *loader, Matrix *matrix, const Tensor *tensor) {
    *matrix = (Matrix){.type = tensor->type, .rows = tensor->rows, .columns = tensor->columns};
    if (!tensor->data)
        matrix->buffer =
            random_weights_matrix(&loader->random, loader->device, tensor, loader->error);
    else if (usable_in_place(tensor))
        matrix->buffer = device_buffer_wrap(loader->device, tensor->data, tensor_bytes(tensor));
    else if (type_is_float(tensor->type))
        matrix->buffer = convert(loader, tensor, matrix->type, 0);
    else
        return error_set(loader->error, LLM_ERROR_FORMAT, "a %s tensor is misaligned in its file",
                         tensor_type_name(tensor->type));
    if (matrix->buffer && !to_halves_if_wanted(loader, matrix, tensor)) return false;
    loader->weights->parameters += tensor_count(tensor);
    if (matrix->buffer) loader->weights->bytes += device_buffer_size(matrix->buffer);
    if (matrix->pieces) loader->weights->bytes += device_buffer_size(matrix->pieces);
    return matrix->buffer != NULL;
}

/* A vector, or a table that is read element by element: always f32. `more` is added to each. */
static bool load_floats(Loader *loader, DeviceBuffer **buffer, const Tensor *tensor, float more) {
    if (!type_is_float(tensor->type))
        return error_set(
            loader->error, LLM_ERROR_FORMAT,
            "a bias, layernorm or position tensor is stored as %s; it must be a float type",
            tensor_type_name(tensor->type));
    if (tensor->type == TENSOR_F32 && usable_in_place(tensor) && more == 0)
        *buffer = device_buffer_wrap(loader->device, tensor->data, tensor_bytes(tensor));
    else
        *buffer = convert(loader, tensor, TENSOR_F32, more);
    loader->weights->parameters += tensor_count(tensor);
    if (*buffer) loader->weights->bytes += device_buffer_size(*buffer);
    return *buffer != NULL;
}

/* A vector of a model that is there for its shape: norms change nothing, biases add nothing. */
static bool make_floats(Loader *loader, DeviceBuffer **buffer, const ModelTensor *tensor) {
    size_t count = tensor_count(&tensor->tensor);
    float value = tensor->row->form == FORM_NORM ? 1 : 0;
    *buffer = random_weights_vector(loader->device, count, value, loader->error);
    loader->weights->parameters += count;
    loader->weights->bytes += count * sizeof value;
    return *buffer != NULL;
}

/* Where the table puts a tensor: one of the two. */
typedef struct Place {
    Matrix *matrix;
    DeviceBuffer **floats;
} Place;

static Place place_of(const Loader *loader, const ModelTensor *tensor) {
    const Weights *weights = loader->weights;
    const TensorRow *row = tensor->row;
    char *base = row_is_per_layer(row) ? (char *)&weights->layer[tensor->layer] : (char *)weights;
    void *into = base + row->into;
    Norm *norm = into;
    Product *product = into;
    switch (row->form) {
    case FORM_MATRIX:
        return (Place){.matrix = into};
    case FORM_FLOATS:
        return (Place){.floats = into};
    case FORM_NORM:
        norm->kind = loader->norm;
        norm->epsilon = loader->epsilon;
        return (Place){.floats = &norm->weight};
    case FORM_NORM_BIAS:
        return (Place){.floats = &norm->bias};
    case FORM_PRODUCT:
        if (product->parts <= row->part) product->parts = row->part + 1;
        if (row->part == 0) product->name = row->step;
        return (Place){.matrix = &product->part[row->part]};
    case FORM_PRODUCT_BIAS:
        return (Place){.floats = &product->bias[row->part]};
    case FORM_FACTORS:
        break;
    }
    return (Place){0};
}

static bool load_tensor(Loader *loader, const ModelTensor *tensor) {
    Weights *weights = loader->weights;
    if (tensor->row->form == FORM_FACTORS) {
        loader->factors = &tensor->tensor;
        return true;
    }
    Place place = place_of(loader, tensor);
    bool less_one = !loader->gguf && tensor->row->flags & TENSOR_LESS_ONE;
    if (!reserve_buffers(loader)) return false;
    bool loaded = place.matrix ? load_matrix(loader, place.matrix, &tensor->tensor)
                  : tensor->tensor.data
                      ? load_floats(loader, place.floats, &tensor->tensor, less_one ? 1 : 0)
                      : make_floats(loader, place.floats, tensor);
    weights->buffers[weights->buffer_count++] = place.matrix ? place.matrix->buffer : *place.floats;
    if (place.matrix) weights->buffers[weights->buffer_count++] = place.matrix->pieces;
    return loaded;
}

static bool load_all(Loader *loader, const ModelFile *file) {
    Weights *weights = loader->weights;
    for (size_t i = 0; i < file->tensor_count; i++)
        if (!load_tensor(loader, &file->tensors[i])) return false;
    if (file->config.tied)
        weights->output = (Product){.part = {weights->token_embedding}, .parts = 1};
    weights->output.name = "logits";
    weights->output.stays_packed = true;
    return true;
}

/* --- rope --- */

static bool read_factors(const Loader *loader, float *factors) {
    for (uint32_t i = 0; i < loader->factors->columns; i++) {
        factors[i] = float_from(loader->factors->type, tensor_element(loader->factors, 0, i));
        if (!(factors[i] > 0 && isfinite(factors[i])))
            return error_set(loader->error, LLM_ERROR_FORMAT,
                             "rope_freqs.weight has the factor %g; each must be above 0: the file "
                             "is corrupt",
                             (double)factors[i]);
    }
    return true;
}

/* Take in a rope of these frequencies. */
static bool load_rope(Loader *loader, Rope *rope, const float *frequencies) {
    Weights *weights = loader->weights;
    size_t bytes = rope->dims / 2 * sizeof *frequencies;
    if (!reserve_buffers(loader)) return false;
    rope->frequencies = device_buffer_new(loader->device, bytes);
    weights->buffers[weights->buffer_count++] = rope->frequencies;
    if (rope->frequencies) device_write(rope->frequencies, 0, frequencies, bytes);
    return rope->frequencies != NULL;
}

/* Of global layers, and of windowed ones, which have it in common unless they have a base. */
static bool load_ropes(Loader *loader, const ModelConfig *config) {
    const RopeConfig *rope = &config->rope;
    Weights *weights = loader->weights;
    float frequencies[ROPE_MOST_PAIRS], factors[ROPE_MOST_PAIRS];
    if (rope->dims == 0) return true;
    if (loader->factors && !read_factors(loader, factors)) return false;
    weights->rope = (Rope){rope->order, rope->dims, NULL, rope_magnitude(rope)};
    rope_frequencies(rope, loader->factors ? factors : NULL, frequencies);
    if (!load_rope(loader, &weights->rope, frequencies)) return false;
    weights->local_rope = weights->rope;
    if (rope->local_base == 0) return true;
    weights->local_rope.magnitude = 1;
    rope_local_frequencies(rope, frequencies);
    return load_rope(loader, &weights->local_rope, frequencies);
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

/* Beside their blocks, halves are to leave a quarter of the memory to the KV cache and others. */
static Keeping keeping_that_fits(const Device *device, const ModelFile *file, Keeping keeping) {
    size_t memory = device_memory(device), bytes = 0;
    for (size_t i = 0; i < file->tensor_count; i++) {
        const Tensor *tensor = &file->tensors[i].tensor;
        bytes +=
            tensor_bytes(tensor) + (type_can_halve(tensor->type) ? 2 * tensor_count(tensor) : 0);
    }
    bool fits = memory == 0 || bytes <= memory / 4 * 3;
    return keeping == KEEP_LARGE && !fits ? KEEP_HALVES : keeping;
}

/* Of weights that are made; those of a file are used where they lie, if they can be. */
static bool has_room(Device *device, const ModelFile *file) {
    size_t bytes = 0;
    for (size_t i = 0; i < file->tensor_count; i++)
        if (!file->tensors[i].tensor.data) bytes += tensor_bytes(&file->tensors[i].tensor);
    return device_has_room(device, bytes);
}

bool weights_load(Weights *weights, const ModelFile *file, Device *device, Keeping keeping,
                  LLMError *error) {
    const ModelConfig *config = &file->config;
    *weights = (Weights){.layers = config->layers};
    weights->layer = calloc(config->layers, sizeof *weights->layer);
    if (!weights->layer) return error_memory(error, config->layers * sizeof *weights->layer);
    Loader loader = {.weights = weights,
                     .device = device,
                     .gguf = file->checkpoint->naming == GGUF_NAMES,
                     .keeping = keeping_that_fits(device, file, keeping),
                     .channels = config->channels,
                     .norm = file->architecture->norm,
                     .epsilon = config->epsilon,
                     .error = error};
    bool loaded = has_room(device, file) && load_all(&loader, file) && load_ropes(&loader, config);
    thread_pool_free(loader.pool);
    random_weights_free(&loader.random);
    each_matrix(weights, note_packed, &weights->largest_packed);
    if (!loaded) device_failed(device, error);
    return loaded;
}

Attention weights_attention(const Weights *weights, const ModelConfig *config, uint32_t l) {
    const LayerWeights *layer = &weights->layer[l];
    bool windowed = config->windowed[l];
    const Rope *rope = windowed ? &weights->local_rope : &weights->rope;
    float scalar = config->score_scalar > 0 ? config->score_scalar : (float)config->head_size;
    return (Attention){.heads = config->heads,
                       .kv_heads = config->kv_heads,
                       .head_size = config->head_size,
                       .window = windowed ? config->window : 0,
                       .scale = 1.0f / sqrtf(scalar),
                       .rope = rope->dims > 0 ? rope : NULL,
                       .q_norm = layer->q_norm.weight ? &layer->q_norm : NULL,
                       .k_norm = layer->k_norm.weight ? &layer->k_norm : NULL};
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

static bool parts_match(const Product *product) {
    for (uint32_t p = 1; p < product->parts; p++)
        if (product->part[p].type != product->part[0].type) return false;
    return true;
}

bool weights_parts_match(const Weights *weights) {
    for (uint32_t l = 0; l < weights->layers; l++)
        if (!parts_match(&weights->layer[l].qkv) || !parts_match(&weights->layer[l].up))
            return false;
    return true;
}

static void drop_pieces(Weights *weights, Matrix *matrix) {
    if (!matrix->pieces) return;
    for (size_t i = 0; i < weights->buffer_count; i++)
        if (weights->buffers[i] == matrix->pieces) weights->buffers[i] = NULL;
    weights->bytes -= device_buffer_size(matrix->pieces);
    device_buffer_free(matrix->pieces);
    matrix->pieces = NULL;
}

static void drop_unless(bool read, Weights *weights, Product *product) {
    for (uint32_t p = 0; !read && p < product->parts; p++)
        drop_pieces(weights, &product->part[p]);
}

void weights_drop_unread(Weights *weights, bool fused, bool gated) {
    Matrix *tokens = &weights->token_embedding, *output = &weights->output.part[0];
    for (uint32_t l = 0; l < weights->layers; l++) {
        LayerWeights *layer = &weights->layer[l];
        drop_unless(fused && product_in_pieces(&layer->qkv, false), weights, &layer->qkv);
        drop_unless(fused && !layer->attention_after.weight, weights, &layer->projection);
        drop_unless(fused && product_in_pieces(&layer->up, gated), weights, &layer->up);
        drop_unless(fused && !layer->mlp_after.weight, weights, &layer->down);
    }
    drop_unless(fused, weights, &weights->output);
    if (tokens->buffer == output->buffer)
        tokens->pieces = output->pieces;
    else
        drop_pieces(weights, tokens);
}

/* The halves of a matrix that is read as blocks. */
static bool add_unread(const Matrix *matrix, void *bytes) {
    if (matrix->pieces) *(size_t *)bytes += device_buffer_size(matrix->buffer);
    return true;
}

size_t weights_step_bytes(const Weights *weights) {
    const Matrix *tokens = &weights->token_embedding, *output = &weights->output.part[0];
    size_t unread = 0;
    each_matrix(weights, add_unread, &unread);
    add_unread(output, &unread);
    if (weights->position_embedding) unread += device_buffer_size(weights->position_embedding);
    if (tokens->buffer != output->buffer) unread += device_buffer_size(tokens->buffer);
    return weights->bytes - unread;
}

static bool add_count(const Matrix *matrix, void *count) {
    *(uint64_t *)count += (uint64_t)matrix->rows * matrix->columns;
    return true;
}

uint64_t weights_of_layers(const Weights *weights) {
    uint64_t count = 0;
    each_matrix(weights, add_count, &count);
    return count;
}

void weights_free(Weights *weights) {
    for (size_t i = 0; i < weights->buffer_count; i++)
        device_buffer_free(weights->buffers[i]);
    free(weights->buffers);
    for (size_t i = 0; i < weights->converted_count; i++)
        munmap(weights->converted[i].data, weights->converted[i].size);
    free(weights->converted);
    free(weights->layer);
    *weights = (Weights){0};
}
