#include "fingerprint.h"

#include "hash.h"

#include <string.h>

enum { PART = 1024 }; /* bytes of a tensor's beginning, and of its end */

static uint64_t add(uint64_t hash, const void *data, size_t size) {
    uint64_t pair[2] = {hash, hash_bytes(data, size)};
    return hash_bytes(pair, sizeof pair);
}

static uint64_t add_tensor(uint64_t hash, const ModelTensor *tensor) {
    size_t bytes = tensor_bytes(&tensor->tensor), part = bytes < PART ? bytes : PART;
    const char *data = tensor->tensor.data;
    uint32_t shape[] = {tensor->layer, tensor->tensor.type, tensor->tensor.rows,
                        tensor->tensor.columns};
    hash = add(hash, tensor->row->gguf, strlen(tensor->row->gguf));
    hash = add(hash, shape, sizeof shape);
    hash = add(hash, data, part);
    return add(hash, data + bytes - part, part);
}

uint64_t model_fingerprint(const ModelFile *file) {
    const char *name = file->architecture->name;
    uint64_t hash = hash_bytes(name, strlen(name));
    uint32_t vocabulary = file->config.vocabulary;
    for (uint32_t id = 0; file->tokenizer && id < vocabulary; id++) {
        size_t size;
        const char *text = tokenizer_bytes(file->tokenizer, id, &size);
        hash = add(hash, text ? text : "", size);
    }
    for (size_t i = 0; i < file->tensor_count; i++)
        hash = add_tensor(hash, &file->tensors[i]);
    return hash;
}
