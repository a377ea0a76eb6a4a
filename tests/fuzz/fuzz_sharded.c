/* Input: model.safetensors.index.json, a NUL byte, the size of the first of two shards as 16 bits,
 * both shards. */
#include "fuzz_checkpoint.h"

static const char config[] =
    "{\"architectures\":[\"GPT2LMHeadModel\"],\"model_type\":\"gpt2\",\"n_embd\":2,\"n_layer\":1,"
    "\"n_head\":1,\"n_positions\":2,\"vocab_size\":3}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    if (!end || size - (size_t)(end - data) < 3) return 0;
    size_t index = (size_t)(end - data), both = size - index - 3;
    size_t first = end[1] | (size_t)end[2] << 8;
    if (first > both) first = both;
    fuzz_write("config.json", config, sizeof config - 1);
    fuzz_write("model.safetensors.index.json", data, index);
    fuzz_write("model-00001-of-00002.safetensors", end + 3, first);
    fuzz_write("model-00002-of-00002.safetensors", end + 3 + first, both - first);
    fuzz_open(fuzz_path(""));
    return 0;
}
