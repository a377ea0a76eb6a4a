/* Input: a byte that says the type, and a GGUF or llm.c file. A model that opens converts, or is
 * refused by name; what was written opens as a model of the same tensors. */
#include "fuzz_checkpoint.h"

#include "convert.h"

static const TensorType types[] = {TENSOR_F32, TENSOR_F16, TENSOR_Q8_0, TENSOR_Q4_0};

static void check_converted(const ModelFile *model, const char *path) {
    ModelFile *converted = fuzz_open_model(path);
    fuzz_require(converted, "what was written does not open");
    fuzz_require(converted->tensor_count == model->tensor_count, "a tensor is missing");
    for (size_t i = 0; i < model->tensor_count; i++) {
        const Tensor *a = &model->tensors[i].tensor, *b = &converted->tensors[i].tensor;
        fuzz_require(a->rows == b->rows && a->columns == b->columns, "a tensor of another shape");
    }
    model_file_close(converted);
}

static void convert(const ModelFile *model, TensorType type) {
    ConvertOptions options = {.type = type};
    LLMError error = {0};
    const char *path = fuzz_path("out.gguf");
    unlink(path);
    bool done = convert_to_gguf(model, path, &options, &error);
    fuzz_check_error(done, &error);
    fuzz_require(done == (access(path, F_OK) == 0), "a failure that leaves a file");
    if (done) check_converted(model, path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    ModelFile *model = fuzz_open_model(fuzz_write("model", data + 1, size - 1));
    if (model) convert(model, types[*data % (sizeof types / sizeof *types)]);
    model_file_close(model);
    return 0;
}
