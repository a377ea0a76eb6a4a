/* Input: config.json, a NUL byte, model.safetensors. */
#include "fuzz_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t config = end ? (size_t)(end - data) : size;
    size_t weights = end ? size - config - 1 : 0;
    fuzz_write("config.json", data, config);
    fuzz_write("model.safetensors", end ? end + 1 : data, weights);
    fuzz_open(fuzz_path(""));
    return 0;
}
