/* Input: an llm.c model file. */
#include "fuzz_checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_open(fuzz_write("model.bin", data, size));
    return 0;
}
