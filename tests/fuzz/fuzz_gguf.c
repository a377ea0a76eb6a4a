/* Input: a GGUF file. */
#include "fuzz_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_open(fuzz_write("model.gguf", data, size));
    return 0;
}
