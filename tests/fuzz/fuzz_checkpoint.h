/* fuzz_checkpoint.h — what the fuzzers of the model files share: the file is opened, and every
 * tensor that is handed out must lie inside it. */
#ifndef METAL_LLM_FUZZ_CHECKPOINT_H
#define METAL_LLM_FUZZ_CHECKPOINT_H

#include "fuzz_files.h"

#include "model/model_file.h"

static void fuzz_touch(const Tensor *tensor) {
    const volatile unsigned char *data = tensor->data;
    size_t bytes = tensor_bytes(tensor);
    fuzz_require(bytes > 0, "a tensor without bytes");
    (void)data[0], (void)data[bytes - 1];
}

/* A call has failed or not, and an error is one line. */
static void fuzz_check_error(bool done, const LLMError *error) {
    bool described = error->status != LLM_OK && *error->message && !strchr(error->message, '\n');
    fuzz_require(done ? error->status == LLM_OK : described, "a failure without one line");
}

/* The model at `path`: it must give tensors inside its files, or an error of one line. */
static ModelFile *fuzz_open_model(const char *path) {
    LLMError error = {0};
    ModelFile *model = model_file_open(path, &error);
    fuzz_check_error(model != NULL, &error);
    for (size_t i = 0; model && i < model->tensor_count; i++)
        fuzz_touch(&model->tensors[i].tensor);
    return model;
}

static inline void fuzz_open(const char *path) {
    model_file_close(fuzz_open_model(path));
}

#endif
