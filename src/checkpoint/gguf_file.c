#include "gguf_file.h"

#include <stdlib.h>
#include <string.h>

/* --- element types --- */

/* Those that are not supported, by their numbers. */
static const char *const unsupported[] = {
    [9] = "q8_1",   [15] = "q8_K",  [16] = "iq2_xxs", [17] = "iq2_xs", [18] = "iq3_xxs",
    [19] = "iq1_s", [21] = "iq3_s", [22] = "iq2_s",   [23] = "iq4_xs", [24] = "i8",
    [25] = "i16",   [26] = "i32",   [27] = "i64",     [28] = "f64",    [29] = "iq1_m",
    [34] = "tq1_0", [35] = "tq2_0", [39] = "mxfp4",   [40] = "nvfp4",
};
enum { UNSUPPORTED_COUNT = sizeof unsupported / sizeof *unsupported };

/* --- metadata --- */

static const unsigned char value_bytes[GGUF_TYPES] = {
    [GGUF_U8] = 1,  [GGUF_I8] = 1,   [GGUF_U16] = 2, [GGUF_I16] = 2, [GGUF_U32] = 4, [GGUF_I32] = 4,
    [GGUF_F32] = 4, [GGUF_BOOL] = 1, [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
};

static bool truncated(const GGUFFile *gguf, LLMError *error) {
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: the file ends inside its header (%zu bytes); it is truncated or corrupt: "
                     "download it again",
                     gguf->path, gguf->reader.size);
}

static bool read_header(GGUFFile *gguf, LLMError *error) {
    Reader *reader = &gguf->reader;
    reader_take(reader, 4); /* "GGUF" */
    uint32_t version = reader_u32(reader);
    gguf->tensor_count = reader_u64(reader);
    gguf->entry_count = reader_u64(reader);
    if (reader->failed) return truncated(gguf, error);
    if (version == 2 || version == 3) return true;
    bool swapped = version == 2u << 24 || version == 3u << 24;
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: GGUF %s %u is not supported; convert the model to little-endian GGUF 3",
                     gguf->path, swapped ? "of a big-endian machine, version" : "version",
                     swapped ? version >> 24 : version);
}

/* Step over `count` values; nothing but the reader bounds the hostile count. */
static void skip_values(Reader *reader, GGUFType type, uint64_t count) {
    if (type == GGUF_STRING)
        for (uint64_t i = 0; i < count && !reader->failed; i++)
            reader_text(reader);
    else if (count <= reader_left(reader) / value_bytes[type])
        reader_take(reader, count * value_bytes[type]);
    else
        reader->failed = true;
}

static bool read_entry(GGUFFile *gguf, GGUFEntry *entry, LLMError *error) {
    Reader *reader = &gguf->reader;
    entry->key = reader_text(reader);
    uint32_t type = reader_u32(reader);
    entry->array = type == GGUF_ARRAY;
    entry->count = 1;
    if (entry->array) {
        type = reader_u32(reader);
        entry->count = reader_u64(reader);
    }
    if (reader->failed) return truncated(gguf, error);
    if (type >= GGUF_TYPES || type == GGUF_ARRAY)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the value of %.*s has the unknown type %u; the file is corrupt",
                         gguf->path, TEXT_ARGUMENTS(entry->key), type);
    entry->type = (GGUFType)type;
    size_t start = reader->position;
    skip_values(reader, entry->type, entry->count);
    entry->values = (Reader){.data = reader->data + start, .size = reader->position - start};
    return !reader->failed || truncated(gguf, error);
}

static int compare_keys(const void *a, const void *b) {
    return text_compare(((const GGUFEntry *)a)->key, ((const GGUFEntry *)b)->key);
}

static bool read_metadata(GGUFFile *gguf, LLMError *error) {
    enum { SMALLEST_ENTRY = 13 }; /* the key's length, the type, one byte */
    if (gguf->entry_count > reader_left(&gguf->reader) / SMALLEST_ENTRY)
        return truncated(gguf, error);
    gguf->entries = calloc(gguf->entry_count + 1, sizeof *gguf->entries);
    if (!gguf->entries) return error_memory(error, gguf->entry_count * sizeof *gguf->entries);
    for (size_t i = 0; i < gguf->entry_count; i++)
        if (!read_entry(gguf, &gguf->entries[i], error)) return false;
    qsort(gguf->entries, gguf->entry_count, sizeof *gguf->entries, compare_keys);
    for (size_t i = 1; i < gguf->entry_count; i++)
        if (compare_keys(&gguf->entries[i - 1], &gguf->entries[i]) == 0)
            return error_set(error, LLM_ERROR_FORMAT,
                             "%s: the key %.*s is there twice; the file is corrupt", gguf->path,
                             TEXT_ARGUMENTS(gguf->entries[i].key));
    return true;
}

const GGUFEntry *gguf_find(const GGUFFile *gguf, const char *key) {
    GGUFEntry wanted = {.key = {key, strlen(key)}};
    return bsearch(&wanted, gguf->entries, gguf->entry_count, sizeof wanted, compare_keys);
}

static bool wrong_type(const GGUFFile *gguf, const char *key, const char *wanted, LLMError *error) {
    return error_set(error, LLM_ERROR_FORMAT, "%s: the value of %s is not %s; the file is corrupt",
                     gguf->path, key, wanted);
}

bool gguf_get_integer(const GGUFFile *gguf, const char *key, uint32_t *value, LLMError *error) {
    const GGUFEntry *entry = gguf_find(gguf, key);
    if (!entry) return true;
    bool is_signed = entry->type == GGUF_I8 || entry->type == GGUF_I16 || entry->type == GGUF_I32 ||
                     entry->type == GGUF_I64;
    bool is_unsigned = entry->type == GGUF_U8 || entry->type == GGUF_U16 ||
                       entry->type == GGUF_U32 || entry->type == GGUF_U64;
    uint64_t number = UINT64_MAX;
    if (!entry->array && (is_signed || is_unsigned)) {
        size_t bytes = entry->values.size;
        bool negative = is_signed && entry->values.data[bytes - 1] & 0x80;
        number = negative ? UINT64_MAX : 0;
        memcpy(&number, entry->values.data, bytes);
    }
    if (number > UINT32_MAX)
        return wrong_type(gguf, key, "a whole number from 0 to 2^32 - 1", error);
    *value = (uint32_t)number;
    return true;
}

bool gguf_get_float(const GGUFFile *gguf, const char *key, float *value, LLMError *error) {
    const GGUFEntry *entry = gguf_find(gguf, key);
    if (!entry) return true;
    if (entry->array || entry->type != GGUF_F32) return wrong_type(gguf, key, "a float", error);
    memcpy(value, entry->values.data, sizeof *value);
    return true;
}

bool gguf_get_bool(const GGUFFile *gguf, const char *key, bool *value, LLMError *error) {
    const GGUFEntry *entry = gguf_find(gguf, key);
    if (!entry) return true;
    if (entry->array || entry->type != GGUF_BOOL)
        return wrong_type(gguf, key, "true or false", error);
    *value = entry->values.data[0] != 0;
    return true;
}

bool gguf_get_text(const GGUFFile *gguf, const char *key, Text *value, LLMError *error) {
    const GGUFEntry *entry = gguf_find(gguf, key);
    if (!entry) return true;
    if (entry->array || entry->type != GGUF_STRING) return wrong_type(gguf, key, "text", error);
    Reader values = entry->values;
    *value = reader_text(&values);
    return true;
}

bool gguf_get_array(const GGUFFile *gguf, const char *key, GGUFType type, const GGUFEntry **array,
                    LLMError *error) {
    *array = gguf_find(gguf, key);
    if (!*array) return true;
    if (!(*array)->array || (*array)->type != type)
        return wrong_type(gguf, key, type == GGUF_STRING ? "a list of texts" : "a list of numbers",
                          error);
    return true;
}

/* --- the file --- */

bool gguf_open(GGUFFile *gguf, FileMap map, const char *path, LLMError *error) {
    *gguf = (GGUFFile){.path = path, .reader = {.data = map.data, .size = map.size}};
    return read_header(gguf, error) && read_metadata(gguf, error);
}

void gguf_close(GGUFFile *gguf) {
    index_free(&gguf->tensors);
    free(gguf->entries);
}

/* --- tensors --- */

static bool read_shape(GGUFFile *gguf, StoredTensor *tensor, Text name, LLMError *error) {
    tensor->dimensions = reader_u32(&gguf->reader);
    if (tensor->dimensions > MAX_DIMENSIONS)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %.*s has %u dimensions, where %d are possible; the file is corrupt",
                         gguf->path, TEXT_ARGUMENTS(name), tensor->dimensions, MAX_DIMENSIONS);
    for (uint32_t i = tensor->dimensions; i-- > 0;)
        tensor->shape[i] = reader_u64(&gguf->reader);
    return !gguf->reader.failed || truncated(gguf, error);
}

static bool read_type(GGUFFile *gguf, StoredTensor *tensor, Text name, LLMError *error) {
    uint32_t type = reader_u32(&gguf->reader);
    if (gguf->reader.failed) return truncated(gguf, error);
    if (tensor_type_from_gguf(type, &tensor->type)) return true;
    if (type >= UNSUPPORTED_COUNT || !unsupported[type])
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %.*s is stored as the unknown type %u; the file is corrupt, or too "
                         "new: convert it to f16 or q8_0",
                         gguf->path, TEXT_ARGUMENTS(name), type);
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: %.*s is stored as %s, which is not supported; convert it to f16 or q8_0",
                     gguf->path, TEXT_ARGUMENTS(name), unsupported[type]);
}

/* Tensors follow each other in the order of the list, each padded to the alignment; *end is where
 * the data of the last one ended. */
static bool check_place(const GGUFFile *gguf, const StoredTensor *tensor, Text name,
                        uint64_t alignment, uint64_t *end, LLMError *error) {
    uint64_t bytes, expected = (*end + alignment - 1) / alignment * alignment;
    if (!stored_bytes(tensor, &bytes))
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the shape of %.*s does not fit its type %s; the file is corrupt",
                         gguf->path, TEXT_ARGUMENTS(name), tensor_type_name(tensor->type));
    if (tensor->offset != expected || expected > gguf->reader.size || bytes > gguf->reader.size)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %.*s has %llu bytes at byte %llu of the data, which does not fit "
                         "this file of %zu bytes; it is truncated or corrupt: download it again",
                         gguf->path, TEXT_ARGUMENTS(name), (unsigned long long)bytes,
                         (unsigned long long)tensor->offset, gguf->reader.size);
    *end = expected + bytes;
    return true;
}

static bool read_tensor(GGUFFile *gguf, uint64_t alignment, uint64_t *end, LLMError *error) {
    StoredTensor tensor = {0};
    Text name = reader_text(&gguf->reader);
    if (!read_shape(gguf, &tensor, name, error) || !read_type(gguf, &tensor, name, error))
        return false;
    tensor.offset = reader_u64(&gguf->reader);
    if (gguf->reader.failed) return truncated(gguf, error);
    return check_place(gguf, &tensor, name, alignment, end, error) &&
           index_add(&gguf->tensors, tensor, name.data, name.size, error);
}

bool gguf_read_tensors(GGUFFile *gguf, LLMError *error) {
    uint32_t alignment = 32;
    if (!gguf_get_integer(gguf, "general.alignment", &alignment, error)) return false;
    if (alignment == 0 || alignment & (alignment - 1))
        return wrong_type(gguf, "general.alignment", "a power of two", error);
    uint64_t end = 0;
    for (uint64_t i = 0; i < gguf->tensor_count; i++)
        if (!read_tensor(gguf, alignment, &end, error)) return false;
    reader_take(&gguf->reader, (alignment - gguf->reader.position % alignment) % alignment);
    const unsigned char *data = reader_take(&gguf->reader, end);
    if (!data)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the tensors need %llu bytes after the header, which this file of %zu "
                         "bytes has not; it is truncated: download it again",
                         gguf->path, (unsigned long long)end, gguf->reader.size);
    for (size_t i = 0; i < gguf->tensors.count; i++)
        gguf->tensors.tensors[i].data = data + gguf->tensors.tensors[i].offset;
    return index_sort(&gguf->tensors, gguf->path, error);
}
