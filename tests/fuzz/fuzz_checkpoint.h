/* fuzz_checkpoint.h — what the fuzzers of the model files share: bytes go to a file, the file is
 * opened, and every tensor that is handed out must lie inside it. */
#ifndef METAL_LLM_FUZZ_CHECKPOINT_H
#define METAL_LLM_FUZZ_CHECKPOINT_H

#include "model/model_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char fuzz_folder[64];

static void fuzz_remove_folder(void) {
    static const char *const names[] = {"config.json", "model.safetensors", "model.gguf",
                                        "model.bin"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", fuzz_folder, names[i]);
        unlink(path);
    }
    rmdir(fuzz_folder);
}

/* The path of a file in a folder of this process, which is removed at its end. */
static const char *fuzz_path(const char *name) {
    static char path[128];
    if (!*fuzz_folder) {
        strcpy(fuzz_folder, P_tmpdir "/metal-llm-fuzz-XXXXXX");
        if (!mkdtemp(fuzz_folder)) abort();
        atexit(fuzz_remove_folder);
    }
    snprintf(path, sizeof path, "%s/%s", fuzz_folder, name);
    return path;
}

/* Make `name` in the folder hold exactly these bytes; returns its path. */
static const char *fuzz_write(const char *name, const void *data, size_t size) {
    const char *path = fuzz_path(name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || (size && write(file, data, size) != (ssize_t)size)) abort();
    close(file);
    return path;
}

static void fuzz_touch(const Tensor *tensor) {
    const volatile unsigned char *data = tensor->data;
    size_t bytes = tensor_bytes(tensor);
    if (bytes == 0) abort();
    (void)data[0], (void)data[bytes - 1];
}

/* Open the model at `path`: it must give tensors inside its files, or an error of one line. */
static void fuzz_open(const char *path) {
    LLMError error = {0};
    ModelFile *model = model_file_open(path, &error);
    bool described = error.status != LLM_OK && *error.message && !strchr(error.message, '\n');
    if (model ? error.status != LLM_OK : !described) abort();
    for (size_t i = 0; model && i < model->tensor_count; i++)
        fuzz_touch(&model->tensors[i].tensor);
    model_file_close(model);
}

#endif
