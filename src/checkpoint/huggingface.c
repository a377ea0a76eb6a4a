/* A Hugging Face folder: config.json, the weights in one .safetensors file or in several with an
 * index, and the tokenizer's files. */
#include "huggingface.h"

#include "chat_files.h"
#include "folder_hint.h"
#include "json.h"
#include "loader.h"
#include "safetensors.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEY = 256 };

/* --- config.json as settings --- */

typedef struct Flattener {
    Settings *settings;
    char key[MAX_KEY]; /* of the object that is being read, with a dot at its end */
    LLMError *error;
} Flattener;

static bool type_of(const cJSON *value, SettingType *type) {
    uint64_t size;
    if (cJSON_IsBool(value))
        *type = SETTING_BOOL;
    else if (cJSON_IsString(value))
        *type = SETTING_TEXT;
    else if (cJSON_IsNumber(value))
        *type = json_size(value, &size) ? SETTING_INTEGER : SETTING_NUMBER;
    else
        return false;
    return true;
}

static bool set_value(Settings *settings, Setting *setting, size_t i, const cJSON *value,
                      LLMError *error) {
    if (setting->type == SETTING_TEXT)
        return settings_set_text(settings, i, value->valuestring, strlen(value->valuestring),
                                 error);
    if (setting->type == SETTING_BOOL)
        setting->values[i].truth = cJSON_IsTrue(value);
    else if (setting->type == SETTING_INTEGER)
        setting->values[i].integer = (int64_t)value->valuedouble;
    else
        setting->values[i].number = value->valuedouble;
    return true;
}

/* A list of one type, integers among numbers being numbers; any other list is kept empty. */
static bool list_type(const cJSON *list, SettingType *type) {
    const cJSON *item;
    bool begun = false;
    *type = SETTING_INTEGER;
    cJSON_ArrayForEach(item, list) {
        SettingType own;
        if (!type_of(item, &own)) return false;
        bool mixed = begun && *type + own == SETTING_INTEGER + SETTING_NUMBER;
        if (begun && own != *type && !mixed) return false;
        *type = mixed ? SETTING_NUMBER : own;
        begun = true;
    }
    return true;
}

static bool add_list(Flattener *flattener, const char *key, const cJSON *list) {
    SettingType type;
    size_t i = 0, count = list_type(list, &type) ? (size_t)cJSON_GetArraySize(list) : 0;
    Setting *setting =
        settings_add(flattener->settings, key, strlen(key), type, true, count, flattener->error);
    if (!setting) return false;
    for (const cJSON *item = list->child; i < count; i++, item = item->next)
        if (!set_value(flattener->settings, setting, i, item, flattener->error)) return false;
    return true;
}

static bool add_object(Flattener *flattener, const cJSON *object);

static bool add_item(Flattener *flattener, const char *key, const cJSON *item) {
    SettingType type;
    if (cJSON_IsNull(item))
        return settings_add(flattener->settings, key, strlen(key), SETTING_BOOL, false, 0,
                            flattener->error);
    if (cJSON_IsArray(item)) return add_list(flattener, key, item);
    if (!type_of(item, &type)) return add_object(flattener, item);
    Setting *setting =
        settings_add(flattener->settings, key, strlen(key), type, false, 1, flattener->error);
    return setting && set_value(flattener->settings, setting, 0, item, flattener->error);
}

static bool add_object(Flattener *flattener, const cJSON *object) {
    size_t size = strlen(flattener->key);
    const cJSON *item;
    cJSON_ArrayForEach(item, object) {
        char *end = flattener->key + size;
        size_t left = sizeof flattener->key - size, length = strlen(item->string);
        if (length + 2 > left)
            return error_set(flattener->error, LLM_ERROR_FORMAT,
                             "%s: the key \"%.40s\" is too long, or nested too deeply; correct the "
                             "file",
                             flattener->settings->path, item->string);
        memcpy(end, item->string, length + 1);
        char key[MAX_KEY];
        memcpy(key, flattener->key, size + length + 1);
        memcpy(end + length, ".", 2);
        if (!add_item(flattener, key, item)) return false;
        *end = 0;
    }
    return true;
}

static bool read_settings(Settings *settings, const cJSON *json, const char *path,
                          LLMError *error) {
    Flattener flattener = {.settings = settings, .error = error};
    if (!settings_begin(settings, path, error) || !add_object(&flattener, json)) return false;
    settings_sort(settings);
    return true;
}

/* Old configurations name no model_type, only the class: "GPT2LMHeadModel". */
static bool read_architecture(Checkpoint *checkpoint, const cJSON *json, LLMError *error) {
    const char *model = NULL;
    if (!settings_get_text(&checkpoint->settings, "model_type", &model, error)) return false;
    const cJSON *classes = cJSON_GetObjectItemCaseSensitive(json, "architectures");
    const char *class = cJSON_GetStringValue(cJSON_GetArrayItem(classes, 0));
    if (!model) model = class && strncmp(class, "GPT2", 4) == 0 ? "gpt2" : "";
    return checkpoint_set_architecture(checkpoint, model, strlen(model), error);
}

/* "eos_token_id": one id, or a list of them; negative ones stand for none. */
static bool read_ends(Checkpoint *checkpoint, const cJSON *json, LLMError *error) {
    const cJSON *ids = cJSON_GetObjectItemCaseSensitive(json, "eos_token_id");
    const cJSON *id = cJSON_IsArray(ids) ? ids->child : ids;
    for (; id; id = cJSON_IsArray(ids) ? id->next : NULL) {
        uint64_t number;
        if (json_size(id, &number) && number < UINT32_MAX &&
            !checkpoint_add_end(checkpoint, (uint32_t)number, error))
            return false;
    }
    return true;
}

static bool load_config(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    char *path = folder_join(folder, "config.json", error);
    cJSON *json = path ? json_open_object(path, error) : NULL;
    bool loaded = json && read_settings(&checkpoint->settings, json, path, error) &&
                  read_architecture(checkpoint, json, error) && read_ends(checkpoint, json, error);
    cJSON_Delete(json);
    free(path);
    return loaded;
}

/* generation_config.json, where there is one, may name more tokens that end a text. */
static bool load_generation_config(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    static const char name[] = "generation_config.json";
    if (!folder_has(folder, name)) return true;
    char *path = folder_join(folder, name, error);
    cJSON *json = path ? json_open_object(path, error) : NULL;
    bool loaded = json && read_ends(checkpoint, json, error);
    cJSON_Delete(json);
    free(path);
    return loaded;
}

/* --- weights --- */

static bool load_shard(Checkpoint *checkpoint, const char *folder, const char *name,
                       LLMError *error) {
    FileMap map;
    char *path = folder_join(folder, name, error);
    bool loaded = path && checkpoint_map(checkpoint, path, &map, error) &&
                  safetensors_read(&checkpoint->tensors, map, path, error);
    free(path);
    return loaded;
}

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Open each file that the index's map from tensors to files names, once. */
static bool load_mapped_shards(Checkpoint *checkpoint, const char *folder, const cJSON *weight_map,
                               const char *path, LLMError *error) {
    size_t count = 0;
    const cJSON *file;
    const char **names = calloc((size_t)cJSON_GetArraySize(weight_map) + 1, sizeof *names);
    if (!names) return error_memory(error, (size_t)cJSON_GetArraySize(weight_map) * sizeof *names);
    bool loaded = true;
    cJSON_ArrayForEach(file, weight_map) {
        if (!cJSON_IsString(file) || strchr(file->valuestring, '/') ||
            !ends_with(file->valuestring, ".safetensors")) {
            loaded = error_set(error, LLM_ERROR_FORMAT,
                               "%s: the file of %.80s is not a .safetensors file of the same "
                               "folder; the index is corrupt",
                               path, file->string);
            break;
        }
        names[count++] = file->valuestring;
    }
    qsort(names, count, sizeof *names, compare_strings);
    for (size_t i = 0; i < count && loaded; i++)
        if (i == 0 || strcmp(names[i - 1], names[i]) != 0)
            loaded = load_shard(checkpoint, folder, names[i], error);
    free(names);
    return loaded;
}

static bool load_shards(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    char *path = folder_join(folder, "model.safetensors.index.json", error);
    cJSON *json = path ? json_open_object(path, error) : NULL;
    const cJSON *weight_map = cJSON_GetObjectItemCaseSensitive(json, "weight_map");
    bool loaded = false;
    if (json && !cJSON_IsObject(weight_map))
        error_set(error, LLM_ERROR_FORMAT, "%s: there is no \"weight_map\"; the index is corrupt",
                  path);
    else if (json)
        loaded = load_mapped_shards(checkpoint, folder, weight_map, path, error);
    cJSON_Delete(json);
    free(path);
    return loaded;
}

static bool load_files(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    if (folder_has(folder, "model.safetensors"))
        return load_shard(checkpoint, folder, "model.safetensors", error);
    if (folder_has(folder, "model.safetensors.index.json"))
        return load_shards(checkpoint, folder, error);
    if (folder_has(folder, "pytorch_model.bin") ||
        folder_has(folder, "pytorch_model.bin.index.json"))
        return error_set(error, LLM_ERROR_FILE,
                         "%s: the weights are only there as pytorch_model.bin, which is not "
                         "opened; load the folder with transformers and save it again with "
                         "model.save_pretrained(folder, safe_serialization=True)",
                         folder);
    return error_set(error, LLM_ERROR_FILE,
                     "%s: there is no model.safetensors in this folder; download it too", folder);
}

/* Wrappers of a model, for several GPUs or to compile it, put a prefix before its names. */
static void remove_wrappers(TensorIndex *index) {
    static const char *const wrappers[] = {"_orig_mod.", "module."};
    for (size_t i = 0; i < index->count; i++) {
        char *name = index->tensors[i].name;
        for (size_t w = 0; w < sizeof wrappers / sizeof *wrappers; w++) {
            size_t size = strlen(wrappers[w]);
            if (strncmp(name, wrappers[w], size) != 0) continue;
            memmove(name, name + size, strlen(name + size) + 1);
            w = (size_t)-1; /* one may be within the other */
        }
    }
}

static bool load_weights(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    if (!load_files(checkpoint, folder, error)) return false;
    remove_wrappers(&checkpoint->tensors);
    return index_sort(&checkpoint->tensors, folder, error);
}

/* --- the whole folder --- */

static bool load_tokenizer(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    uint32_t vocabulary = 0; /* the ids that the tokenizer has, where the model does not say */
    LLMError problem = {0};
    Tokenizer *tokenizer = NULL;
    settings_get_integer(&checkpoint->settings, "vocab_size", &vocabulary, &problem);
    if (folder_has(folder, "tokenizer.json") || folder_has(folder, "vocab.json"))
        tokenizer = tokenizer_open_folder(folder, vocabulary, &problem);
    else
        folder_refuse_tokenizer(folder, &problem);
    return checkpoint_set_tokenizer(checkpoint, tokenizer, &problem, error) &&
           chat_files_read(checkpoint, folder, error);
}

/* The folder's own name, also where it is given as "." or through a link. */
static bool read_name(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    char *resolved = realpath(folder, NULL);
    if (!resolved && errno == ENOMEM) return error_memory(error, PATH_MAX);
    bool named = checkpoint_name_after(checkpoint, resolved ? resolved : folder, "", error);
    free(resolved);
    return named;
}

static bool load_model(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    return load_config(checkpoint, folder, error) && load_weights(checkpoint, folder, error) &&
           load_generation_config(checkpoint, folder, error);
}

/* A tokenizer needs no config.json, but where there is one it tells how many ids the model has. */
static bool load_vocabulary(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    LLMError problem = {0};
    if (folder_has(folder, "config.json")) load_config(checkpoint, folder, &problem);
    return problem.status != LLM_ERROR_MEMORY ||
           error_set(error, LLM_ERROR_MEMORY, "%s", problem.message);
}

bool huggingface_load(Checkpoint *checkpoint, const char *folder, bool tensors, LLMError *error) {
    checkpoint->format = "Hugging Face";
    checkpoint->naming = HUGGINGFACE_NAMES;
    bool has_tokenizer = folder_has(folder, "tokenizer.json") || folder_has(folder, "vocab.json");
    if (!folder_has(folder, "config.json") && (tensors || !has_tokenizer))
        return folder_refuse(folder, error);
    bool loaded = tensors ? load_model(checkpoint, folder, error)
                          : load_vocabulary(checkpoint, folder, error);
    return loaded && read_name(checkpoint, folder, error) &&
           load_tokenizer(checkpoint, folder, error);
}
