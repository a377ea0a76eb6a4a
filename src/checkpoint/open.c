#include "open.h"

#include "gguf.h"
#include "huggingface.h"
#include "llmc.h"
#include "loader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LLMC_MAGIC = 20240326 };

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
static bool load_folder_of(Checkpoint *checkpoint, bool tensors, LLMError *error) {
    const char *path = checkpoint->path, *slash = strrchr(path, '/');
    if (strncmp(slash ? slash + 1 : path, "model", 5) != 0)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: only model.safetensors, with config.json beside it, is opened; "
                         "rename the file or give the model's folder",
                         path);
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
    if (!folder) return error_memory(error, strlen(path));
    bool loaded = huggingface_load(checkpoint, folder, tensors, error);
    free(folder);
    return loaded;
}

static bool load(Checkpoint *checkpoint, bool tensors, LLMError *error) {
    const char *path = checkpoint->path;
    struct stat status;
    uint32_t magic;
    if (stat(path, &status) != 0) return file_cannot_be_opened(path, error);
    if (S_ISDIR(status.st_mode)) return huggingface_load(checkpoint, path, tensors, error);
    if (!S_ISREG(status.st_mode))
        return error_set(error, LLM_ERROR_FILE, "%s: neither a regular file nor a folder", path);
    if (!read_magic(path, &magic, error)) return false;
    if (memcmp(&magic, "GGUF", 4) == 0) return gguf_load(checkpoint, tensors, error);
    if (magic == LLMC_MAGIC) return llmc_load(checkpoint, error);
    if (ends_with(path, ".safetensors")) return load_folder_of(checkpoint, tensors, error);
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: not a model that can be opened: give a GGUF file, a Hugging Face folder "
                     "with config.json and model.safetensors, or an llm.c .bin file",
                     path);
}

Checkpoint *checkpoint_open(const char *path, CheckpointUse use, LLMError *error) {
    if (error_is_set(error)) return NULL;
    Checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (!checkpoint) return error_memory(error, sizeof *checkpoint);
    checkpoint->in_memory = use == USE_MODEL_IN_MEMORY;
    checkpoint->path = strdup(path);
    if (!checkpoint->path) error_memory(error, strlen(path));
    if (checkpoint->path && load(checkpoint, use != USE_TOKENIZER, error)) return checkpoint;
    checkpoint_close(checkpoint);
    return NULL;
}
