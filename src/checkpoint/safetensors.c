/* The format: github.com/huggingface/safetensors, README.md. Eight bytes give the header's length;
 * the header is a JSON object of tensors; offsets count from its end. */
#include "safetensors.h"

#include "json.h"
#include "reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a tensor's bytes lie in the data. */
typedef struct Extent {
    const char *name;
    uint64_t begin, end;
} Extent;

static bool malformed(const char *path, const cJSON *item, const char *what, LLMError *error) {
    return error_set(error, LLM_ERROR_FORMAT, "%s: %.80s: %s; the file is corrupt", path,
                     item->string, what);
}

/* A type that we do not read is no error until the model asks for the tensor. */
static bool read_type(const cJSON *item, StoredTensor *tensor, const char *path, LLMError *error) {
    static const struct {
        const char *name;
        TensorType type;
    } types[] = {{"F32", TENSOR_F32}, {"F16", TENSOR_F16}, {"BF16", TENSOR_BF16}};
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "dtype"));
    if (!name) return malformed(path, item, "it has no dtype", error);
    tensor->type = TENSOR_TYPES;
    snprintf(tensor->foreign, sizeof tensor->foreign, "%s", name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(name, types[i].name) == 0) tensor->type = types[i].type;
    return true;
}

static bool read_shape(const cJSON *item, StoredTensor *tensor, const char *path, LLMError *error) {
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(item, "shape"), *size;
    if (!cJSON_IsArray(shape)) return malformed(path, item, "it has no shape", error);
    cJSON_ArrayForEach(size, shape) {
        if (tensor->dimensions == MAX_DIMENSIONS ||
            !json_size(size, &tensor->shape[tensor->dimensions]))
            return malformed(path, item, "its shape is not 0 to 4 whole numbers", error);
        tensor->dimensions++;
    }
    return true;
}

static bool read_extent(const cJSON *item, StoredTensor *tensor, Extent *extent, const Reader *data,
                        const char *path, LLMError *error) {
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    uint64_t begin, end, bytes;
    if (cJSON_GetArraySize(offsets) != 2 || !json_size(cJSON_GetArrayItem(offsets, 0), &begin) ||
        !json_size(cJSON_GetArrayItem(offsets, 1), &end))
        return malformed(path, item, "its data_offsets are not two whole numbers", error);
    if (begin > end || end > reader_left(data))
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %.80s lies at bytes %llu to %llu of the data, but the file has only "
                         "%zu; it is truncated or corrupt: download it again",
                         path, item->string, (unsigned long long)begin, (unsigned long long)end,
                         reader_left(data));
    bool known = tensor->type != TENSOR_TYPES;
    if (known && (!stored_bytes(tensor, &bytes) || bytes != end - begin))
        return malformed(path, item, "its data_offsets do not fit its shape", error);
    tensor->offset = begin;
    tensor->data = data->data + data->position + begin;
    *extent = (Extent){item->string, begin, end};
    return true;
}

static int compare_extents(const void *a, const void *b) {
    const Extent *first = a, *second = b;
    if (first->begin != second->begin) return first->begin < second->begin ? -1 : 1;
    return (first->end > second->end) - (first->end < second->end);
}

/* The specification: every byte of the data belongs to exactly one tensor. */
static bool check_extents(Extent *extents, size_t count, uint64_t bytes, const char *path,
                          LLMError *error) {
    uint64_t end = 0;
    if (count > 0) qsort(extents, count, sizeof *extents, compare_extents);
    for (size_t i = 0; i < count; i++) {
        if (extents[i].begin != end)
            return error_set(error, LLM_ERROR_FORMAT,
                             "%s: %.80s begins at byte %llu of the data, where byte %llu is due: "
                             "tensors may not %s; the file is corrupt",
                             path, extents[i].name, (unsigned long long)extents[i].begin,
                             (unsigned long long)end,
                             extents[i].begin < end ? "overlap" : "leave holes");
        end = extents[i].end;
    }
    return end == bytes || error_set(error, LLM_ERROR_FORMAT,
                                     "%s: %llu bytes follow the last tensor; the file is corrupt",
                                     path, (unsigned long long)(bytes - end));
}

static bool read_tensor(TensorIndex *index, const cJSON *item, Extent *extent, const Reader *data,
                        const char *path, LLMError *error) {
    StoredTensor tensor = {0};
    if (!cJSON_IsObject(item)) return malformed(path, item, "it has no description", error);
    return read_type(item, &tensor, path, error) && read_shape(item, &tensor, path, error) &&
           read_extent(item, &tensor, extent, data, path, error) &&
           index_add(index, tensor, item->string, strlen(item->string), error);
}

static bool read_tensors(TensorIndex *index, const cJSON *header, const Reader *data,
                         const char *path, LLMError *error) {
    size_t count = 0, most = (size_t)cJSON_GetArraySize(header) + 1;
    Extent *extents = calloc(most, sizeof *extents);
    if (!extents) return error_memory(error, most * sizeof *extents);
    bool read = true;
    for (const cJSON *item = header->child; item && read; item = item->next)
        if (strcmp(item->string, "__metadata__") != 0)
            read = read_tensor(index, item, &extents[count++], data, path, error);
    read = read && check_extents(extents, count, reader_left(data), path, error);
    free(extents);
    return read;
}

bool safetensors_read(TensorIndex *index, FileMap map, const char *path, LLMError *error) {
    Reader reader = {.data = map.data, .size = map.size};
    if (map.size < sizeof(uint64_t))
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: a file of %zu bytes, which has no header; it is truncated or "
                         "corrupt: download it again",
                         path, map.size);
    uint64_t size = reader_u64(&reader);
    const char *text = reader_take(&reader, size);
    if (!text)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the header should have %llu bytes, but the file has only %zu; it is "
                         "truncated or corrupt: download it again",
                         path, (unsigned long long)size, map.size);
    cJSON *header = json_parse_object(text, size, path, error);
    bool read = header && read_tensors(index, header, &reader, path, error);
    cJSON_Delete(header);
    return read;
}
