/* The format: github.com/huggingface/safetensors, README.md. Eight bytes give the header's length;
 * the header is a JSON object of tensors; offsets count from its end. */
#include "safetensors.h"

#include "json.h"
#include "reader.h"

#include <string.h>

static bool malformed(const char *path, const cJSON *item, const char *what, LLMError *error) {
    return error_set(error, LLM_ERROR_FORMAT, "%s: %.80s: %s; the file is corrupt", path,
                     item->string, what);
}

static bool read_type(const cJSON *item, TensorType *type, const char *path, LLMError *error) {
    static const struct {
        const char *name;
        TensorType type;
    } types[] = {{"F32", TENSOR_F32}, {"F16", TENSOR_F16}, {"BF16", TENSOR_BF16}};
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(item, "dtype");
    if (!cJSON_IsString(name)) return malformed(path, item, "it has no dtype", error);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(name->valuestring, types[i].name) == 0) {
            *type = types[i].type;
            return true;
        }
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: %.80s is stored as %.20s, which is not supported; save the model as "
                     "float32, float16 or bfloat16",
                     path, item->string, name->valuestring);
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

static bool read_extent(const cJSON *item, StoredTensor *tensor, const Reader *data,
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
    if (!stored_bytes(tensor, &bytes) || bytes != end - begin)
        return malformed(path, item, "its data_offsets do not fit its shape", error);
    tensor->data = data->data + data->position + begin;
    return true;
}

/* Buffers of old checkpoints (the causal mask) come in other types; GPT-2 has no use for them. */
static bool is_mask(const char *name) {
    return ends_with(name, ".attn.bias") || ends_with(name, ".attn.masked_bias");
}

static bool read_tensors(TensorIndex *index, const cJSON *header, const Reader *data,
                         const char *path, LLMError *error) {
    const cJSON *item;
    cJSON_ArrayForEach(item, header) {
        StoredTensor tensor = {0};
        if (strcmp(item->string, "__metadata__") == 0 || is_mask(item->string)) continue;
        if (!cJSON_IsObject(item)) return malformed(path, item, "it has no description", error);
        if (!read_type(item, &tensor.type, path, error) ||
            !read_shape(item, &tensor, path, error) ||
            !read_extent(item, &tensor, data, path, error) ||
            !index_add(index, tensor, item->string, strlen(item->string), error))
            return false;
    }
    return true;
}

bool safetensors_read(TensorIndex *index, FileMap map, const char *path, LLMError *error) {
    Reader reader = {.data = map.data, .size = map.size};
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
