#include "shape.h"

#include "checkpoint/values.h"
#include "mixture.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct Shape {
    const char *name;
    const Architecture *architecture;
    uint32_t layers, channels, heads, kv_heads, head_size, inner, vocabulary;
    bool tied;
    float rope_base;
} Shape;

static const Shape shapes[] = {
    {"smollm2", &llama_architecture, 30, 576, 9, 3, 64, 1536, 49152, true, 1e5f},
    {"qwen3-0.6b", &qwen3_architecture, 28, 1024, 16, 8, 128, 3072, 151936, true, 1e6f},
    {"llama-1b", &llama_architecture, 16, 2048, 32, 8, 64, 8192, 128256, true, 5e5f},
    {"llama-8b", &llama_architecture, 32, 4096, 32, 8, 128, 14336, 128256, false, 5e5f},
    {"llama-70b", &llama_architecture, 80, 8192, 64, 8, 128, 28672, 128256, false, 5e5f},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, CONTEXT = 131072 };

static const Shape *find_shape(const char *name, LLMError *error) {
    char names[128] = "";
    for (size_t i = 0, used = 0; i < SHAPES; i++) {
        if (strcmp(shapes[i].name, name) == 0) return &shapes[i];
        used +=
            (size_t)snprintf(names + used, sizeof names - used, i ? ", %s" : "%s", shapes[i].name);
    }
    error_set(error, LLM_ERROR_ARGUMENT, "there is no shape '%s'; there are %s", name, names);
    return NULL;
}

/* --- types --- */

static bool find_type(const char *name, TensorType *found) {
    for (TensorType type = 0; type < TENSOR_TYPES; type++)
        if (strcmp(tensor_type_name(type), name) == 0 && values_can_store(type)) {
            *found = type;
            return true;
        }
    return false;
}

static bool find_types(const char *name, Mixture *types, LLMError *error) {
    *types = (Mixture){.matrices = TENSOR_Q4_K, .finer = strcmp(name, "q4_K_M") == 0};
    if (types->finer) return true;
    if (find_type(name, &types->matrices)) {
        types->embeddings = types->matrices;
        return true;
    }
    char names[128] = "";
    size_t used = 0;
    for (TensorType type = 0; type < TENSOR_TYPES; type++)
        if (values_can_store(type))
            used += (size_t)snprintf(names + used, sizeof names - used, used ? ", %s" : "%s",
                                     tensor_type_name(type));
    return error_set(error, LLM_ERROR_ARGUMENT, "weights cannot be made as '%s'; use %s", name,
                     names);
}

/* --- the model --- */

static bool is_there(const ModelConfig *config, const TensorRow *row) {
    unsigned left_out = TENSOR_OPTIONAL | TENSOR_ATTENTION_BIAS | TENSOR_MLP_BIAS |
                        (config->tied ? TENSOR_OUTPUT : 0);
    return !(row->flags & left_out);
}

static void add(ModelFile *file, const Mixture *types, const TensorRow *row, uint32_t layer) {
    ModelTensor *added = &file->tensors[file->tensor_count++];
    *added = (ModelTensor){.row = row, .layer = layer};
    shape_sizes(row->shape, &file->config, &added->tensor.rows, &added->tensor.columns);
    added->tensor.type = mixture_type(types, file, added);
}

static bool add_all(ModelFile *file, const Mixture *types, LLMError *error) {
    const TensorRow *rows = file->architecture->tensors;
    size_t count = 0;
    while (rows[count].what)
        count++;
    file->tensors = calloc(count * file->config.layers, sizeof *file->tensors);
    if (!file->tensors) return error_memory(error, count * file->config.layers);
    for (const TensorRow *row = rows; row->what; row++) {
        uint32_t layers = row_is_per_layer(row) ? file->config.layers : 1;
        for (uint32_t layer = 0; layer < layers && is_there(&file->config, row); layer++)
            add(file, types, row, layer);
    }
    return true;
}

/* Names, for the messages and for those who watch. */
static bool add_checkpoint(ModelFile *file, const char *name, LLMError *error) {
    Checkpoint *checkpoint = file->checkpoint = calloc(1, sizeof *checkpoint);
    if (!checkpoint) return error_memory(error, sizeof *checkpoint);
    checkpoint->naming = GGUF_NAMES;
    checkpoint->path = strdup(name);
    checkpoint->name = strdup(name);
    if (!checkpoint->path || !checkpoint->name) return error_memory(error, strlen(name));
    file->name = checkpoint->name;
    file->format = "random weights";
    file->tokenizer_problem = &checkpoint->tokenizer_problem;
    return settings_begin(&checkpoint->settings, name, error);
}

static void set_config(ModelConfig *config, const Shape *shape) {
    *config = (ModelConfig){.layers = shape->layers,
                            .heads = shape->heads,
                            .kv_heads = shape->kv_heads,
                            .head_size = shape->head_size,
                            .channels = shape->channels,
                            .inner = shape->inner,
                            .context = CONTEXT,
                            .vocabulary = shape->vocabulary,
                            .epsilon = 1e-5f,
                            .rope = {.order = shape->architecture->gguf_order,
                                     .base = shape->rope_base,
                                     .truncate = true},
                            .embedding_scale = 1,
                            .tied = shape->tied};
}

static bool fill_file(ModelFile *file, const Shape *shape, const Mixture *types, LLMError *error) {
    file->architecture = shape->architecture;
    file->end_of_text = UINT32_MAX;
    set_config(&file->config, shape);
    return add_checkpoint(file, shape->name, error) &&
           shape->architecture->settle(&file->config, file->checkpoint, error) &&
           add_all(file, types, error);
}

ModelFile *shape_open(const char *name, const char *type, LLMError *error) {
    Mixture types;
    const Shape *shape = find_shape(name, error);
    if (!shape || !find_types(type, &types, error)) return NULL;
    ModelFile *file = calloc(1, sizeof *file);
    if (!file) return error_memory(error, sizeof *file);
    if (fill_file(file, shape, &types, error)) return file;
    model_file_close(file);
    return NULL;
}
