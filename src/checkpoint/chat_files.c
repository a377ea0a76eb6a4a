#include "chat_files.h"

#include "file_map.h"
#include "folder_hint.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>

static bool copy(char **target, const char *text, LLMError *error) {
    if (!text || *target) return true;
    *target = strdup(text);
    return *target || error_memory(error, strlen(text) + 1);
}

/* A text, or an object whose "content" is one. */
static const char *token_text(const cJSON *json, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);
    if (cJSON_IsObject(item)) item = cJSON_GetObjectItemCaseSensitive(item, "content");
    return cJSON_GetStringValue(item);
}

/* A text, or of several, [{"name": "default", "template": …}, …], the one of this name. */
static const char *template_text(const cJSON *json) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, "chat_template"), *one;
    if (cJSON_IsString(item)) return item->valuestring;
    cJSON_ArrayForEach(one, item) {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(one, "name"));
        if (name && !strcmp(name, "default"))
            return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(one, "template"));
    }
    return NULL;
}

static bool read_config(Checkpoint *checkpoint, const char *path, LLMError *error) {
    cJSON *json = json_open_object(path, error);
    if (!json) return false;
    bool done = copy(&checkpoint->chat_template, template_text(json), error) &&
                copy(&checkpoint->bos_token, token_text(json, "bos_token"), error) &&
                copy(&checkpoint->eos_token, token_text(json, "eos_token"), error);
    cJSON_Delete(json);
    return done;
}

/* More bytes than any template has. */
enum { TEMPLATE_MOST = 1 << 24 };

static bool read_jinja(Checkpoint *checkpoint, const char *path, LLMError *error) {
    FileMap map;
    if (!file_map_read(&map, path, TEMPLATE_MOST, error)) return false;
    checkpoint->chat_template = strndup((const char *)map.data, map.size);
    file_map_close(&map);
    return checkpoint->chat_template || error_memory(error, map.size);
}

static bool read_file(Checkpoint *checkpoint, const char *folder, const char *name,
                      bool (*read)(Checkpoint *, const char *, LLMError *), LLMError *error) {
    if (!folder_has(folder, name)) return true;
    char *path = folder_join(folder, name, error);
    bool done = path && read(checkpoint, path, error);
    free(path);
    return done;
}

bool chat_files_read(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    return read_file(checkpoint, folder, "chat_template.jinja", read_jinja, error) &&
           read_file(checkpoint, folder, "tokenizer_config.json", read_config, error);
}
