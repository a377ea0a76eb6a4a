#include "loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- GPT-2's tensors --- */

#define MODEL(field, gguf, huggingface, rows, columns)                                             \
    { gguf, huggingface, offsetof(Checkpoint, field), rows, columns, false, false }
#define LAYER(field, gguf, huggingface, rows, columns)                                             \
    { gguf, huggingface, offsetof(LayerTensors, field), rows, columns, true, false }

/* clang-format off */
const TensorSlot tensor_slots[] = {
    MODEL(token_embedding, "token_embd.weight", "wte.weight", VOCABULARY, CHANNELS),
    MODEL(position_embedding, "position_embd.weight", "wpe.weight", CONTEXT, CHANNELS),
    LAYER(attention_norm_weight, "attn_norm.weight", "ln_1.weight", ONE, CHANNELS),
    LAYER(attention_norm_bias, "attn_norm.bias", "ln_1.bias", ONE, CHANNELS),
    LAYER(qkv_weight, "attn_qkv.weight", "attn.c_attn.weight", CHANNELS_3, CHANNELS),
    LAYER(qkv_bias, "attn_qkv.bias", "attn.c_attn.bias", ONE, CHANNELS_3),
    LAYER(projection_weight, "attn_output.weight", "attn.c_proj.weight", CHANNELS, CHANNELS),
    LAYER(projection_bias, "attn_output.bias", "attn.c_proj.bias", ONE, CHANNELS),
    LAYER(mlp_norm_weight, "ffn_norm.weight", "ln_2.weight", ONE, CHANNELS),
    LAYER(mlp_norm_bias, "ffn_norm.bias", "ln_2.bias", ONE, CHANNELS),
    LAYER(up_weight, "ffn_up.weight", "mlp.c_fc.weight", INNER, CHANNELS),
    LAYER(up_bias, "ffn_up.bias", "mlp.c_fc.bias", ONE, INNER),
    LAYER(down_weight, "ffn_down.weight", "mlp.c_proj.weight", CHANNELS, INNER),
    LAYER(down_bias, "ffn_down.bias", "mlp.c_proj.bias", ONE, CHANNELS),
    MODEL(output_norm_weight, "output_norm.weight", "ln_f.weight", ONE, CHANNELS),
    MODEL(output_norm_bias, "output_norm.bias", "ln_f.bias", ONE, CHANNELS),
    {"output.weight", "lm_head.weight", offsetof(Checkpoint, output), VOCABULARY, CHANNELS,
     false, true},
};
/* clang-format on */
const size_t tensor_slot_count = sizeof tensor_slots / sizeof *tensor_slots;

static size_t extent(Extent extent, const ModelConfig *config) {
    switch (extent) {
    case ONE:
        return 1;
    case CHANNELS:
        return config->channels;
    case CHANNELS_3:
        return (size_t)3 * config->channels;
    case INNER:
        return config->inner;
    case CONTEXT:
        return config->context;
    case VOCABULARY:
        return config->vocabulary;
    }
    return 0;
}

size_t slot_rows(const TensorSlot *slot, const ModelConfig *config) {
    return extent(slot->rows, config);
}

size_t slot_columns(const TensorSlot *slot, const ModelConfig *config) {
    return extent(slot->columns, config);
}

Tensor *slot_tensor(const TensorSlot *slot, const Checkpoint *checkpoint, uint32_t layer) {
    char *base = slot->per_layer ? (char *)&checkpoint->layer[layer] : (char *)checkpoint;
    return (Tensor *)(base + slot->offset);
}

void slot_name(char name[MAX_NAME], const TensorSlot *slot, uint32_t layer, Naming naming) {
    const char *own = naming.gguf ? slot->gguf : slot->huggingface;
    const char *prefix = slot->optional ? "" : naming.prefix; /* lm_head is outside transformer */
    if (slot->per_layer)
        snprintf(name, MAX_NAME, "%s%s.%u.%s", prefix, naming.gguf ? "blk" : "h", layer, own);
    else
        snprintf(name, MAX_NAME, "%s%s", prefix, own);
}

/* --- the list of stored tensors --- */

bool stored_bytes(const StoredTensor *tensor, uint64_t *bytes) {
    uint64_t columns = tensor->dimensions ? tensor->shape[tensor->dimensions - 1] : 1;
    if (columns > UINT32_MAX) return false;
    *bytes = tensor_row_bytes(tensor->type, (uint32_t)columns);
    if (*bytes == 0 && columns > 0) return false;
    for (uint32_t i = 0; i + 1 < tensor->dimensions; i++) {
        if (tensor->shape[i] && *bytes > UINT64_MAX / tensor->shape[i]) return false;
        *bytes *= tensor->shape[i];
    }
    return true;
}

bool index_add(TensorIndex *index, StoredTensor tensor, const char *name, size_t name_size,
               LLMError *error) {
    if (index->count == index->capacity) {
        size_t capacity = index->capacity ? 2 * index->capacity : 256;
        StoredTensor *tensors = realloc(index->tensors, capacity * sizeof tensor);
        if (!tensors) return error_memory(error, capacity * sizeof tensor);
        index->tensors = tensors;
        index->capacity = capacity;
    }
    tensor.name = strndup(name, name_size);
    if (!tensor.name) return error_memory(error, name_size);
    index->tensors[index->count++] = tensor;
    return true;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const StoredTensor *)a)->name, ((const StoredTensor *)b)->name);
}

bool index_sort(TensorIndex *index, const char *path, LLMError *error) {
    if (index->count == 0)
        return error_set(error, LLM_ERROR_FORMAT, "%s: holds no tensors; it is not a model", path);
    qsort(index->tensors, index->count, sizeof *index->tensors, compare_names);
    for (size_t i = 1; i < index->count; i++)
        if (strcmp(index->tensors[i - 1].name, index->tensors[i].name) == 0)
            return error_set(error, LLM_ERROR_FORMAT,
                             "%s: there are two tensors named %.80s; the file is corrupt", path,
                             index->tensors[i].name);
    return true;
}

StoredTensor *index_find(const TensorIndex *index, const char *name) {
    StoredTensor key = {.name = (char *)name};
    return bsearch(&key, index->tensors, index->count, sizeof key, compare_names);
}

void index_free(TensorIndex *index) {
    for (size_t i = 0; i < index->count; i++)
        free(index->tensors[i].name);
    free(index->tensors);
    *index = (TensorIndex){0};
}

/* --- stored tensors to their places --- */

/* "[768, 2304]" */
static void write_shape(char *text, size_t size, const uint64_t *shape, uint32_t dimensions) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (uint32_t i = 0; i < dimensions && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? ", %llu" : "%llu",
                                 (unsigned long long)shape[i]);
    if (used < size) snprintf(text + used, size - used, "]");
}

static bool shape_mismatch(const StoredTensor *stored, const uint64_t *expected,
                           uint32_t dimensions, const char *path, LLMError *error) {
    char found[96], wanted[48];
    write_shape(found, sizeof found, stored->shape, stored->dimensions);
    write_shape(wanted, sizeof wanted, expected, dimensions);
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: %s has the shape %s, but the configuration asks for %s; "
                     "the file is corrupt or of another model",
                     path, stored->name, found, wanted);
}

/* Vocabularies are sometimes padded with rows that stand for no token; those are left out. */
static bool check_shape(const StoredTensor *stored, const TensorSlot *slot, const Tensor *tensor,
                        const char *path, LLMError *error) {
    uint64_t expected[2] = {tensor->rows, tensor->columns};
    if (tensor->transposed) expected[0] = tensor->columns, expected[1] = tensor->rows;
    uint32_t dimensions = slot->rows == ONE ? 1 : 2;
    bool padded = slot->rows == VOCABULARY && stored->shape[0] > expected[0];
    bool equal = stored->dimensions == dimensions &&
                 (padded || stored->shape[0] == expected[2 - dimensions]) &&
                 (dimensions == 1 || stored->shape[1] == expected[1]);
    return equal || shape_mismatch(stored, expected + 2 - dimensions, dimensions, path, error);
}

static bool check_type(const StoredTensor *stored, const TensorSlot *slot, const char *path,
                       LLMError *error) {
    bool quantised = stored->type > TENSOR_BF16;
    if (!quantised || (slot->rows != ONE && slot->rows != CONTEXT)) return true;
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: %s is stored as %s, but must be f32, f16 or bf16; convert it to f32",
                     path, stored->name, tensor_type_name(stored->type));
}

static bool attach(TensorIndex *index, Checkpoint *checkpoint, const TensorSlot *slot,
                   uint32_t layer, Naming naming, const char *path, LLMError *error) {
    char name[MAX_NAME];
    slot_name(name, slot, layer, naming);
    StoredTensor *stored = index_find(index, name);
    if (!stored)
        return slot->optional ||
               error_set(error, LLM_ERROR_FORMAT,
                         "%s: the tensor %s is missing; the file is incomplete or of another model",
                         path, name);
    stored->used = true;
    Tensor tensor = {
        .type = stored->type,
        .rows = (uint32_t)slot_rows(slot, &checkpoint->config),
        .columns = (uint32_t)slot_columns(slot, &checkpoint->config),
        .transposed = !naming.gguf && slot->per_layer && slot->rows != ONE,
        .data = stored->data,
    };
    if (!check_shape(stored, slot, &tensor, path, error)) return false;
    if (!check_type(stored, slot, path, error)) return false;
    *slot_tensor(slot, checkpoint, layer) = tensor;
    return true;
}

bool index_attach(TensorIndex *index, Checkpoint *checkpoint, Naming naming, const char *path,
                  LLMError *error) {
    for (size_t i = 0; i < tensor_slot_count; i++) {
        uint32_t copies = tensor_slots[i].per_layer ? checkpoint->config.layers : 1;
        for (uint32_t layer = 0; layer < copies; layer++)
            if (!attach(index, checkpoint, &tensor_slots[i], layer, naming, path, error))
                return false;
    }
    return true;
}
