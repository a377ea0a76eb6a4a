/* npy.h — arrays in NumPy's files: .npy, and .npz of several. */
#ifndef METAL_LLM_NPY_H
#define METAL_LLM_NPY_H

#include "output_file.h"

enum { NPY_RANK_MOST = 4 };

/* `type` as NumPy has it: "<f4", "<u4". */
typedef struct NpyArray {
    const char *type;
    size_t item; /* bytes of a number */
    size_t rank, shape[NPY_RANK_MOST];
    const void *data;
} NpyArray;

/* One array. Nothing if `error` is set. */
void npy_write(OutputFile *file, const NpyArray *array, LLMError *error);

/* Several, by their names, in a ZIP archive that is not compressed. LLM_ERROR_ARGUMENT where it
 * would be larger than 4 GB. */
typedef struct NpzEntry {
    const char *name;
    NpyArray array;
} NpzEntry;
void npz_write(OutputFile *file, const NpzEntry *entries, size_t count, LLMError *error);

#endif
