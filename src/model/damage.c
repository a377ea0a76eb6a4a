#include "damage.h"

#include "checkpoint/values.h"

#include <math.h>
#include <stdio.h>

static bool is_row_finite(const Tensor *tensor, uint32_t row) {
    if (!type_is_float(tensor->type)) return isfinite(row_bound(tensor, row));
    for (uint32_t column = 0; column < tensor->columns; column++)
        if (!isfinite(float_from(tensor->type, tensor_element(tensor, row, column)))) return false;
    return true;
}

static void name_row(const ModelFile *file, const ModelTensor *tensor, uint32_t row, char *where,
                     size_t size) {
    char name[MAX_NAME];
    bool gguf = file->checkpoint->naming == GGUF_NAMES;
    tensor_name(name, gguf ? tensor->row->gguf : tensor->row->huggingface, tensor->layer);
    snprintf(where, size, "%s, row %u", name, row);
}

bool damage_find(const ModelFile *file, char *where, size_t size) {
    for (size_t i = 0; i < file->tensor_count; i++) {
        const ModelTensor *tensor = &file->tensors[i];
        for (uint32_t row = 0; row < tensor->tensor.rows; row++)
            if (!is_row_finite(&tensor->tensor, row)) {
                name_row(file, tensor, row, where, size);
                return true;
            }
    }
    return false;
}
