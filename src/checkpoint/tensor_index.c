#include "tensor_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tensor_name(char name[MAX_NAME], const char *pattern, uint32_t layer) {
    static const char mark[] = "{layer}";
    const char *found = strstr(pattern, mark);
    if (found)
        snprintf(name, MAX_NAME, "%.*s%u%s", (int)(found - pattern), pattern, layer,
                 found + strlen(mark));
    else
        snprintf(name, MAX_NAME, "%s", pattern);
}

bool stored_bytes(const StoredTensor *tensor, uint64_t *bytes) {
    uint64_t columns = tensor->dimensions ? tensor->shape[tensor->dimensions - 1] : 1;
    if (columns > UINT32_MAX) return false;
    *bytes = tensor_row_bytes(tensor->type, (uint32_t)columns);
    if (*bytes == 0 && columns > 0) return false;
    for (uint32_t i = 0; i + 1 < tensor->dimensions; i++)
        if (__builtin_mul_overflow(*bytes, tensor->shape[i], bytes)) return false;
    return true;
}

bool index_add(TensorIndex *index, StoredTensor tensor, const char *name, size_t name_size,
               LLMError *error) {
    if (index->count == index->capacity) {
        size_t capacity = index->capacity ? 2 * index->capacity : 256;
        StoredTensor *tensors = realloc(index->tensors, capacity * sizeof tensor);
        if (!tensors) return error_memory(error, capacity * sizeof tensor);
        index->tensors = tensors;
        index->capacity = capacity;
    }
    tensor.name = strndup(name, name_size);
    if (!tensor.name) return error_memory(error, name_size);
    index->tensors[index->count++] = tensor;
    return true;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const StoredTensor *)a)->name, ((const StoredTensor *)b)->name);
}

bool index_sort(TensorIndex *index, const char *path, LLMError *error) {
    if (index->count == 0) return true;
    qsort(index->tensors, index->count, sizeof *index->tensors, compare_names);
    for (size_t i = 1; i < index->count; i++)
        if (strcmp(index->tensors[i - 1].name, index->tensors[i].name) == 0)
            return error_set(error, LLM_ERROR_FORMAT,
                             "%s: there are two tensors named %.80s; the file is corrupt", path,
                             index->tensors[i].name);
    return true;
}

StoredTensor *index_find(const TensorIndex *index, const char *name) {
    StoredTensor key = {.name = (char *)name};
    if (index->count == 0) return NULL;
    return bsearch(&key, index->tensors, index->count, sizeof key, compare_names);
}

void index_free(TensorIndex *index) {
    for (size_t i = 0; i < index->count; i++)
        free(index->tensors[i].name);
    free(index->tensors);
    *index = (TensorIndex){0};
}
