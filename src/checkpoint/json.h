/* json.h — JSON files that are read as a whole. */
#ifndef METAL_LLM_JSON_H
#define METAL_LLM_JSON_H

#include "error.h"

#include <cjson/cJSON.h>

/* Parse `size` bytes that must be one JSON object without duplicate keys. `path` names the file in
 * errors. The caller releases the result with cJSON_Delete; NULL and `error` on failure. */
cJSON *json_parse_object(const char *text, size_t size, const char *path, LLMError *error);
/* The same for a whole file. */
cJSON *json_open_object(const char *path, LLMError *error);

/* A number as a size: whole, from 0 to 2^53. */
bool json_size(const cJSON *number, uint64_t *value);

#endif
