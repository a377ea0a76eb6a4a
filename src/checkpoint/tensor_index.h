/* tensor_index.h — the tensors that a checkpoint holds, by name. */
#ifndef METAL_LLM_TENSOR_INDEX_H
#define METAL_LLM_TENSOR_INDEX_H

#include "error.h"
#include "tensor.h"

enum { MAX_DIMENSIONS = 4, MAX_NAME = 96 };

typedef struct StoredTensor {
    char *name;       /* owned by the index */
    TensorType type;  /* TENSOR_TYPES: one that is not supported */
    char foreign[16]; /* its name then, as the file spells it */
    uint32_t dimensions;
    uint64_t shape[MAX_DIMENSIONS]; /* outermost first */
    uint64_t offset;                /* from the start of the file's data section */
    const unsigned char *data;
    bool used; /* has found its place in the model */
} StoredTensor;

/* Zero-initialise; release with index_free. */
typedef struct TensorIndex {
    StoredTensor *tensors; /* sorted by name once index_sort has succeeded */
    size_t count, capacity;
} TensorIndex;

/* A tensor's name from a pattern, in which "{layer}" stands for the layer's number. */
void tensor_name(char name[MAX_NAME], const char *pattern, uint32_t layer);
/* Bytes of a tensor of this shape and supported type; false if its rows are no whole blocks, or a
 * product overflows. */
bool stored_bytes(const StoredTensor *tensor, uint64_t *bytes);
/* Add a tensor. Its `name` is copied from the argument. */
bool index_add(TensorIndex *index, StoredTensor tensor, const char *name, size_t name_size,
               LLMError *error);
/* Sort by name and refuse duplicates. To be called once, after the last index_add. */
bool index_sort(TensorIndex *index, const char *path, LLMError *error);
/* The tensor of this name, or NULL. */
StoredTensor *index_find(const TensorIndex *index, const char *name);
void index_free(TensorIndex *index);

#endif
