#include "loader.h"
#include "tokens.h"

#include <stdlib.h>
#include <string.h>

bool ends_with(const char *text, const char *ending) {
    size_t size = strlen(text), ending_size = strlen(ending);
    return size >= ending_size && strcmp(text + size - ending_size, ending) == 0;
}

bool checkpoint_map(Checkpoint *checkpoint, const char *path, FileMap *map, LLMError *error) {
    size_t bytes = (checkpoint->map_count + 1) * sizeof *checkpoint->maps;
    FileMap *maps = realloc(checkpoint->maps, bytes);
    if (!maps) return error_memory(error, bytes);
    checkpoint->maps = maps;
    bool opened = checkpoint->in_memory ? file_map_read(map, path, SIZE_MAX, error)
                                        : file_map_open(map, path, error);
    if (!opened) return false;
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
    return checkpoint->name || error_memory(error, size);
}

bool checkpoint_set_architecture(Checkpoint *checkpoint, const char *name, size_t size,
                                 LLMError *error) {
    checkpoint->architecture = strndup(name, size);
    return checkpoint->architecture || error_memory(error, size);
}

bool checkpoint_add_end(Checkpoint *checkpoint, uint32_t id, LLMError *error) {
    for (size_t i = 0; i < checkpoint->ends.count; i++)
        if (checkpoint->ends.ids[i] == id) return true;
    return tokens_append(&checkpoint->ends, id, error);
}

bool checkpoint_set_tokenizer(Checkpoint *checkpoint, Tokenizer *tokenizer, const LLMError *problem,
                              LLMError *error) {
    checkpoint->tokenizer = tokenizer;
    checkpoint->tokenizer_problem = *problem;
    if (problem->status != LLM_ERROR_MEMORY) return true;
    return error_set(error, LLM_ERROR_MEMORY, "%s", problem->message);
}

void checkpoint_close(Checkpoint *checkpoint) {
    if (!checkpoint) return;
    tokenizer_free(checkpoint->tokenizer);
    llm_tokens_free(&checkpoint->ends);
    free(checkpoint->chat_template);
    free(checkpoint->bos_token);
    free(checkpoint->eos_token);
    settings_free(&checkpoint->settings);
    index_free(&checkpoint->tensors);
    for (size_t i = 0; i < checkpoint->map_count; i++)
        file_map_close(&checkpoint->maps[i]);
    free(checkpoint->maps);
    free(checkpoint->architecture);
    free(checkpoint->name);
    free(checkpoint->path);
    free(checkpoint);
}
