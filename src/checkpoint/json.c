#include "json.h"

#include "file_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Far above any model's header; cJSON needs up to 40 bytes of memory for a byte of text. */
enum { MAX_BYTES = 4 << 20 };

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool check_unique_keys(const cJSON *object, const char *path, LLMError *error) {
    size_t count = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, object) count++;
    const char **keys = malloc((count + 1) * sizeof *keys);
    if (!keys) return error_memory(error, count * sizeof *keys);
    count = 0;
    cJSON_ArrayForEach(item, object) keys[count++] = item->string;
    qsort(keys, count, sizeof *keys, compare_strings);
    bool unique = true;
    for (size_t i = 1; i < count && unique; i++) {
        unique = strcmp(keys[i - 1], keys[i]) != 0;
        if (!unique)
            error_set(error, LLM_ERROR_FORMAT,
                      "%s: the key \"%.80s\" is there twice; the file is corrupt", path, keys[i]);
    }
    free(keys);
    return unique;
}

static bool only_space(const char *text, const char *end) {
    while (text < end && strchr(" \t\r\n", *text) && *text)
        text++;
    return text == end;
}

cJSON *json_parse_object(const char *text, size_t size, const char *path, LLMError *error) {
    if (size > MAX_BYTES) {
        error_set(error, LLM_ERROR_FORMAT,
                  "%s: %zu bytes of JSON, where at most %d are possible; the file is corrupt", path,
                  size, MAX_BYTES);
        return NULL;
    }
    const char *end = text;
    errno = 0; /* the only sign by which cJSON tells that memory was out */
    cJSON *object = cJSON_ParseWithLengthOpts(text, size, &end, false);
    if (!object && errno == ENOMEM) return error_memory(error, size);
    if (!object || !only_space(end, text + size) || !cJSON_IsObject(object))
        error_set(error, LLM_ERROR_FORMAT,
                  "%s: not a JSON object (error near byte %zu); the file is corrupt: download it "
                  "again",
                  path, (size_t)(end - text));
    else if (check_unique_keys(object, path, error))
        return object;
    cJSON_Delete(object);
    return NULL;
}

cJSON *json_open_object(const char *path, LLMError *error) {
    FileMap map;
    if (!file_map_read(&map, path, MAX_BYTES, error)) return NULL;
    const char *text = map.data ? (const char *)map.data : "";
    cJSON *object = json_parse_object(text, map.size, path, error);
    file_map_close(&map);
    return object;
}

/* --- values --- */

bool json_size(const cJSON *number, uint64_t *value) {
    const double limit = 9007199254740992.0; /* 2^53 */
    if (!cJSON_IsNumber(number)) return false;
    double size = number->valuedouble;
    if (!(size >= 0 && size <= limit) || size != (double)(uint64_t)size) return false;
    *value = (uint64_t)size;
    return true;
}
