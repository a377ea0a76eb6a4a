#include "model_file.h"

#include "checkpoint/open.h"
#include "model_config.h"
#include "rope.h"
#include "tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Opening {
    ModelFile *file;
    const Checkpoint *checkpoint;
    const Architecture *architecture;
    bool gguf;       /* names and keys are GGUF's */
    bool unprefixed; /* Hugging Face's names lack the architecture's prefix */
    LLMError *error;
} Opening;

/* --- tensors --- */

/* "[768, 2304]" */
static void write_shape(char *text, size_t size, const uint64_t *shape, uint32_t dimensions) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (uint32_t i = 0; i < dimensions && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? ", %llu" : "%llu",
                                 (unsigned long long)shape[i]);
    if (used < size) snprintf(text + used, size - used, "]");
}

static bool shape_mismatch(const Opening *opening, const StoredTensor *stored,
                           const uint64_t *expected, uint32_t dimensions) {
    char found[96], wanted[48];
    write_shape(found, sizeof found, stored->shape, stored->dimensions);
    write_shape(wanted, sizeof wanted, expected, dimensions);
    return error_set(opening->error, LLM_ERROR_FORMAT,
                     "%s: %s has the shape %s, but the configuration asks for %s; "
                     "the file is corrupt or of another model",
                     opening->checkpoint->path, stored->name, found, wanted);
}

/* Vocabularies are sometimes padded with rows that stand for no token; those are left out. */
static bool check_shape(const Opening *opening, const StoredTensor *stored, const TensorRow *row,
                        const Tensor *tensor) {
    uint64_t expected[2] = {tensor->rows, tensor->columns};
    if (tensor->transposed) expected[0] = tensor->columns, expected[1] = tensor->rows;
    uint32_t dimensions = shape_is_vector(row->shape) ? 1 : 2;
    bool padded = row->shape[0] == 'V' && stored->shape[0] > expected[0];
    bool equal = stored->dimensions == dimensions &&
                 (padded || stored->shape[0] == expected[2 - dimensions]) &&
                 (dimensions == 1 || stored->shape[1] == expected[1]);
    return equal || shape_mismatch(opening, stored, expected + 2 - dimensions, dimensions);
}

static bool check_type(const Opening *opening, const StoredTensor *stored, const TensorRow *row) {
    if (stored->type == TENSOR_TYPES)
        return error_set(opening->error, LLM_ERROR_FORMAT,
                         "%s: %s is stored as %s, which is not supported; save the model as "
                         "float32, float16 or bfloat16",
                         opening->checkpoint->path, stored->name, stored->foreign);
    if (type_is_float(stored->type) || row_is_matrix(row)) return true;
    return error_set(opening->error, LLM_ERROR_FORMAT,
                     "%s: %s is stored as %s, but must be f32, f16 or bf16; convert it to f32",
                     opening->checkpoint->path, stored->name, tensor_type_name(stored->type));
}

/* What the file calls the tensor. */
static void own_name(const Opening *opening, char name[MAX_NAME], const char *gguf,
                     const char *huggingface, uint32_t layer) {
    const char *prefix = opening->architecture->base_prefix;
    size_t size = strlen(prefix);
    const char *pattern = opening->gguf ? gguf : huggingface;
    if (opening->unprefixed && strncmp(pattern, prefix, size) == 0) pattern += size;
    tensor_name(name, pattern, layer);
}

static StoredTensor *find_row(const Opening *opening, const TensorRow *row, uint32_t layer,
                              char name[MAX_NAME]) {
    own_name(opening, name, row->gguf, row->huggingface, layer);
    return index_find(&opening->checkpoint->tensors, name);
}

/* Of two tensors that are one, safetensors keeps one name: the embedding may be there only as the
 * output. */
static StoredTensor *find_tied(const Opening *opening, const TensorRow *row) {
    char name[MAX_NAME];
    if (!opening->file->config.tied || row != opening->architecture->tensors) return NULL;
    while (row->what && !(row->flags & TENSOR_OUTPUT))
        row++;
    return row->what ? find_row(opening, row, 0, name) : NULL;
}

static bool missing(const Opening *opening, const TensorRow *row, const char *name) {
    if (row->flags & TENSOR_OUTPUT)
        return error_set(opening->error, LLM_ERROR_FORMAT,
                         "%s: config.json says \"tie_word_embeddings\": false, but the tensor %s "
                         "is missing; save the model with its language model head",
                         opening->checkpoint->path, name);
    return error_set(opening->error, LLM_ERROR_FORMAT,
                     "%s: the tensor %s is missing; the file is incomplete or of another model",
                     opening->checkpoint->path, name);
}

static void add_tensor(ModelFile *file, const TensorRow *row, uint32_t layer, Tensor tensor) {
    file->tensors[file->tensor_count++] = (ModelTensor){row, layer, tensor};
}

/* Biases, where the configuration says that there are none. A GGUF file does not say. */
static bool has_no_bias(const Opening *opening, const TensorRow *row) {
    const ModelConfig *config = &opening->file->config;
    return !opening->gguf && ((row->flags & TENSOR_ATTENTION_BIAS && !config->attention_bias) ||
                              (row->flags & TENSOR_MLP_BIAS && !config->mlp_bias));
}

static bool may_be_absent(const Opening *opening, const TensorRow *row) {
    unsigned in_gguf = TENSOR_ATTENTION_BIAS | TENSOR_MLP_BIAS;
    return row->flags & (TENSOR_OPTIONAL | (opening->gguf ? in_gguf : 0));
}

/* From config.json, what is a tensor in GGUF files. */
static void place_factors(ModelFile *file, const TensorRow *row) {
    Tensor factors = {.type = TENSOR_F32, .data = file->rope_factors};
    shape_sizes(row->shape, &file->config, &factors.rows, &factors.columns);
    add_tensor(file, row, 0, factors);
}

static bool place(Opening *opening, const TensorRow *row, uint32_t layer) {
    ModelFile *file = opening->file;
    char name[MAX_NAME];
    if ((row->flags & TENSOR_OUTPUT) && file->config.tied) return true;
    if (has_no_bias(opening, row)) return true;
    if (row->form == FORM_FACTORS && file->rope_factors) {
        place_factors(file, row);
        return true;
    }
    StoredTensor *stored = find_row(opening, row, layer, name);
    if (!stored) stored = find_tied(opening, row);
    if (!stored) return may_be_absent(opening, row) || missing(opening, row, name);
    stored->used = true;
    Tensor tensor = {.type = stored->type,
                     .transposed = !opening->gguf && (row->flags & TENSOR_CONV1D),
                     .data = stored->data};
    shape_sizes(row->shape, &file->config, &tensor.rows, &tensor.columns);
    if (!check_shape(opening, stored, row, &tensor) || !check_type(opening, stored, row))
        return false;
    add_tensor(file, row, layer, tensor);
    return true;
}

/* Layer by layer, each row of the layers in turn: `first` to before `end`. */
static bool place_layers(Opening *opening, const TensorRow *first, const TensorRow *end) {
    for (uint32_t layer = 0; layer < opening->file->config.layers; layer++)
        for (const TensorRow *row = first; row < end; row++)
            if (!place(opening, row, layer)) return false;
    return true;
}

static bool place_all(Opening *opening) {
    const TensorRow *row = opening->architecture->tensors, *end = row;
    while (end->what)
        end++;
    size_t most = (size_t)(end - row) * opening->file->config.layers;
    opening->file->tensors = calloc(most, sizeof *opening->file->tensors);
    if (!opening->file->tensors)
        return error_memory(opening->error, most * sizeof *opening->file->tensors);
    while (row < end) {
        const TensorRow *next = row + 1;
        while (row_is_per_layer(row) && next < end && row_is_per_layer(next))
            next++;
        if (row_is_per_layer(row) ? !place_layers(opening, row, next) : !place(opening, row, 0))
            return false;
        row = next;
    }
    return true;
}

/* Buffers that are no weights. */
static void ignore_buffers(const Opening *opening) {
    char name[MAX_NAME];
    for (const char *const *pattern = opening->architecture->ignored_tensors; *pattern; pattern++)
        for (uint32_t layer = 0; layer < opening->file->config.layers; layer++) {
            own_name(opening, name, *pattern, *pattern, layer);
            StoredTensor *stored = index_find(&opening->checkpoint->tensors, name);
            if (stored) stored->used = true;
        }
}

/* llama.cpp refuses a tensor that the architecture has not; so do we, rather than ignore it. In a
 * Hugging Face folder, heads for other tasks are no part of the text model, but an unknown tensor
 * inside a layer, of an adapter for instance, would change it. */
static bool check_unused(const Opening *opening) {
    const TensorIndex *index = &opening->checkpoint->tensors;
    const TensorRow *row = opening->architecture->tensors;
    char layers[MAX_NAME] = "";
    while (!row_is_per_layer(row))
        row++;
    if (!opening->gguf) own_name(opening, layers, row->gguf, row->huggingface, 0);
    if (!opening->gguf) *strchr(layers, '0') = 0;
    for (size_t i = 0; i < index->count; i++)
        if (!index->tensors[i].used && strncmp(index->tensors[i].name, layers, strlen(layers)) == 0)
            return error_set(opening->error, LLM_ERROR_FORMAT,
                             "%s: the tensor %.80s is not part of the %s model that the "
                             "configuration describes; the file is of another model",
                             opening->checkpoint->path, index->tensors[i].name,
                             opening->architecture->title);
    return true;
}

static bool read_tensors(Opening *opening) {
    const TensorIndex *index = &opening->checkpoint->tensors;
    const TensorRow *rows = opening->architecture->tensors;
    char name[MAX_NAME];
    opening->unprefixed = true;
    opening->unprefixed = !opening->gguf && find_row(opening, &rows[0], 0, name);
    if (opening->gguf) opening->file->config.tied = !index_find(index, "output.weight");
    if (!place_all(opening)) return false;
    ignore_buffers(opening);
    return check_unused(opening);
}

/* Llama 3's scaling, as GGUF files have it. */
static bool make_factors(ModelFile *file, LLMError *error) {
    RopeConfig *rope = &file->config.rope;
    if (rope->scaling != ROPE_LLAMA3) return true;
    file->rope_factors = malloc(rope->dims / 2 * sizeof *file->rope_factors);
    if (!file->rope_factors) return error_memory(error, rope->dims / 2 * sizeof(float));
    rope_llama3_factors(rope, file->rope_factors);
    rope->scaling = ROPE_UNSCALED;
    rope->factor = 0;
    rope->original_context = 0;
    return true;
}

/* --- the whole file --- */

/* Tokens that end a text, those of the model; else the tokenizer's own. */
static bool read_ends(ModelFile *file, LLMError *error) {
    const LLMTokens *ends = &file->checkpoint->ends;
    for (size_t i = 0; i < ends->count; i++)
        if (ends->ids[i] < file->config.vocabulary &&
            !tokens_append(&file->ends, ends->ids[i], error))
            return false;
    uint32_t own = file->tokenizer ? tokenizer_end_of_text(file->tokenizer) : UINT32_MAX;
    if (file->ends.count == 0 && own < file->config.vocabulary &&
        !tokens_append(&file->ends, own, error))
        return false;
    file->end_of_text = file->ends.count ? file->ends.ids[0] : UINT32_MAX;
    return true;
}

static bool check_weights(const Checkpoint *checkpoint, LLMError *error) {
    return checkpoint->tensors.count > 0 ||
           error_set(error, LLM_ERROR_FORMAT,
                     "%s: there are no weights in it, only a vocabulary or less; it is no model "
                     "that can be run",
                     checkpoint->path);
}

static bool open_file(ModelFile *file, const char *path, CheckpointUse use, LLMError *error) {
    file->checkpoint = checkpoint_open(path, use, error);
    if (!file->checkpoint) return false;
    file->format = file->checkpoint->format;
    file->name = file->checkpoint->name;
    file->tokenizer = file->checkpoint->tokenizer;
    file->tokenizer_problem = &file->checkpoint->tokenizer_problem;
    file->architecture = architecture_find(file->checkpoint, error);
    Opening opening = {.file = file,
                       .checkpoint = file->checkpoint,
                       .architecture = file->architecture,
                       .gguf = file->checkpoint->naming == GGUF_NAMES,
                       .error = error};
    return file->architecture && check_weights(file->checkpoint, error) &&
           model_config_read(&file->config, file->architecture, file->checkpoint, error) &&
           make_factors(file, error) && read_tensors(&opening) && read_ends(file, error);
}

static ModelFile *open_for(const char *path, CheckpointUse use, LLMError *error) {
    if (error_is_set(error)) return NULL;
    ModelFile *file = calloc(1, sizeof *file);
    if (!file) return error_memory(error, sizeof *file);
    if (open_file(file, path, use, error)) return file;
    model_file_close(file);
    return NULL;
}

ModelFile *model_file_open(const char *path, LLMError *error) {
    return open_for(path, USE_MODEL, error);
}

ModelFile *model_file_read(const char *path, LLMError *error) {
    return open_for(path, USE_MODEL_IN_MEMORY, error);
}

void model_file_close(ModelFile *file) {
    if (!file) return;
    llm_tokens_free(&file->ends);
    free(file->tensors);
    free(file->rope_factors);
    checkpoint_close(file->checkpoint);
    free(file);
}

TensorType model_file_type(const ModelFile *file) {
    for (size_t i = 0; i < file->tensor_count; i++)
        if (row_is_per_layer(file->tensors[i].row) && row_is_matrix(file->tensors[i].row))
            return file->tensors[i].tensor.type;
    return TENSOR_F32;
}
