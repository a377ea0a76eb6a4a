#include "kernel_constants.h"
#include "loader.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(sizeof(size_t) == 8, "the limits of checkpoint_configure assume 64-bit sizes");

enum { LLMC_MAGIC = 20240326, MAX_HEAD_SIZE = FLASH_ATTENTION_MAX_HS };

/* --- element types --- */

static const struct {
    const char *name;
    uint32_t block_elements, block_bytes;
} tensor_types[] = {
    [TENSOR_F32] = {"f32", 1, 4},       [TENSOR_F16] = {"f16", 1, 2},
    [TENSOR_BF16] = {"bf16", 1, 2},     [TENSOR_Q4_0] = {"q4_0", 32, 18},
    [TENSOR_Q4_1] = {"q4_1", 32, 20},   [TENSOR_Q5_0] = {"q5_0", 32, 22},
    [TENSOR_Q5_1] = {"q5_1", 32, 24},   [TENSOR_Q8_0] = {"q8_0", 32, 34},
    [TENSOR_Q6_K] = {"q6_K", 256, 210},
};

const char *tensor_type_name(TensorType type) {
    return tensor_types[type].name;
}

uint32_t tensor_type_block(TensorType type) {
    return tensor_types[type].block_elements;
}

size_t tensor_row_bytes(TensorType type, uint32_t columns) {
    if (columns % tensor_types[type].block_elements) return 0;
    return (size_t)columns / tensor_types[type].block_elements * tensor_types[type].block_bytes;
}

size_t tensor_count(const Tensor *tensor) {
    return (size_t)tensor->rows * tensor->columns;
}

size_t tensor_bytes(const Tensor *tensor) {
    return tensor->rows * tensor_row_bytes(tensor->type, tensor->columns);
}

/* --- configuration --- */

static bool check_sizes(const ModelConfig *config, const char *path, LLMError *error) {
    const struct {
        const char *name;
        uint32_t value, limit;
    } sizes[] = {
        {"layers", config->layers, 1 << 10},
        {"attention heads", config->heads, 1 << 16},
        {"channels", config->channels, 1 << 20},
        {"feed-forward channels", config->inner, 1 << 22},
        {"positions of context", config->context, 1 << 24},
        {"tokens of vocabulary", config->vocabulary, 1 << 24},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].value == 0 || sizes[i].value > sizes[i].limit)
            return error_set(error, LLM_ERROR_FORMAT,
                             "%s: the configuration has %u %s, where 1 to %u are possible; "
                             "the file is corrupt or not a GPT-2 model",
                             path, sizes[i].value, sizes[i].name, sizes[i].limit);
    return true;
}

bool checkpoint_configure(Checkpoint *checkpoint, const char *path, LLMError *error) {
    const ModelConfig *config = &checkpoint->config;
    if (!check_sizes(config, path, error)) return false;
    if (config->channels % config->heads)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %u attention heads do not divide %u channels; the file is corrupt",
                         path, config->heads, config->channels);
    if (config->channels / config->heads > MAX_HEAD_SIZE)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the attention head size is %u, but the kernels hold at most %d; "
                         "use a model with more heads",
                         path, config->channels / config->heads, MAX_HEAD_SIZE);
    if (!isfinite(config->epsilon) || !(config->epsilon > 0))
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the layernorm epsilon is %g, not a number above 0; "
                         "the file is corrupt",
                         path, (double)config->epsilon);
    checkpoint->layer = calloc(config->layers, sizeof *checkpoint->layer);
    if (!checkpoint->layer) error_memory(error, config->layers * sizeof *checkpoint->layer);
    return checkpoint->layer != NULL;
}

void checkpoint_add_end(Checkpoint *checkpoint, uint64_t id) {
    if (id >= checkpoint->config.vocabulary || checkpoint->end_count == END_TOKENS) return;
    for (uint32_t i = 0; i < checkpoint->end_count; i++)
        if (checkpoint->end_tokens[i] == id) return;
    checkpoint->end_tokens[checkpoint->end_count++] = (uint32_t)id;
}

void checkpoint_set_end_of_text(Checkpoint *checkpoint, uint64_t id) {
    if (id < checkpoint->config.vocabulary)
        checkpoint->end_of_text = (uint32_t)id;
    else if (checkpoint->tokenizer)
        checkpoint->end_of_text = tokenizer_end_of_text(checkpoint->tokenizer);
    checkpoint_add_end(checkpoint, checkpoint->end_of_text);
}

/* --- opening and closing --- */

bool ends_with(const char *text, const char *ending) {
    size_t size = strlen(text), ending_size = strlen(ending);
    return size >= ending_size && strcmp(text + size - ending_size, ending) == 0;
}

bool checkpoint_map(Checkpoint *checkpoint, const char *path, FileMap *map, LLMError *error) {
    size_t bytes = (checkpoint->map_count + 1) * sizeof *checkpoint->maps;
    FileMap *maps = realloc(checkpoint->maps, bytes);
    if (!maps) return error_memory(error, bytes);
    checkpoint->maps = maps;
    if (!file_map_open(map, path, error)) return false;
    maps[checkpoint->map_count++] = *map;
    return true;
}

bool checkpoint_name_after(Checkpoint *checkpoint, const char *path, const char *suffix,
                           LLMError *error) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t size = strlen(name), suffix_size = strlen(suffix);
    if (size > suffix_size && strcmp(name + size - suffix_size, suffix) == 0) size -= suffix_size;
    checkpoint->name = strndup(name, size);
    if (!checkpoint->name) error_memory(error, size);
    return checkpoint->name != NULL;
}

/* The file's first four bytes, 0 for a shorter file. */
static bool read_magic(const char *path, uint32_t *magic, LLMError *error) {
    FileMap map;
    if (!file_map_open(&map, path, error)) return false;
    *magic = 0;
    if (map.size >= sizeof *magic) memcpy(magic, map.data, sizeof *magic);
    file_map_close(&map);
    return true;
}

/* "gpt2/model.safetensors" stands for its folder, which holds the configuration. */
static bool load_folder_of(Checkpoint *checkpoint, const char *path, LLMError *error) {
    const char *slash = strrchr(path, '/');
    if (strncmp(slash ? slash + 1 : path, "model", 5) != 0)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: only model.safetensors, with config.json beside it, is opened; "
                         "rename the file or give the model's folder",
                         path);
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
    if (!folder) return error_memory(error, strlen(path));
    bool loaded = huggingface_load(checkpoint, folder, error);
    free(folder);
    return loaded;
}

static bool load(Checkpoint *checkpoint, const char *path, LLMError *error) {
    struct stat status;
    if (stat(path, &status) != 0)
        return error_set(error, LLM_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode)) return huggingface_load(checkpoint, path, error);
    if (!S_ISREG(status.st_mode))
        return error_set(error, LLM_ERROR_FILE, "%s: neither a regular file nor a folder", path);
    uint32_t magic;
    if (!read_magic(path, &magic, error)) return false;
    if (memcmp(&magic, "GGUF", 4) == 0) return gguf_load(checkpoint, path, error);
    if (magic == LLMC_MAGIC) return llmc_load(checkpoint, path, error);
    if (ends_with(path, ".safetensors")) return load_folder_of(checkpoint, path, error);
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: not a model that can be opened: give a GGUF file, a Hugging Face folder "
                     "with config.json and model.safetensors, or an llm.c .bin file",
                     path);
}

Checkpoint *checkpoint_open(const char *path, LLMError *error) {
    if (error_is_set(error)) return NULL;
    Checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (!checkpoint) return error_memory(error, sizeof *checkpoint);
    checkpoint->end_of_text = UINT32_MAX;
    if (load(checkpoint, path, error)) return checkpoint;
    checkpoint_close(checkpoint);
    return NULL;
}

void checkpoint_close(Checkpoint *checkpoint) {
    if (!checkpoint) return;
    tokenizer_free(checkpoint->tokenizer);
    for (size_t i = 0; i < checkpoint->map_count; i++)
        file_map_close(&checkpoint->maps[i]);
    free(checkpoint->maps);
    free(checkpoint->layer);
    free(checkpoint->name);
    free(checkpoint);
}
