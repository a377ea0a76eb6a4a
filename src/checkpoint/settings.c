#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- filling --- */

bool settings_begin(Settings *settings, const char *path, LLMError *error) {
    settings->path = strdup(path);
    return settings->path || error_memory(error, strlen(path));
}

Setting *settings_add(Settings *settings, const char *key, size_t key_size, SettingType type,
                      bool list, size_t count, LLMError *error) {
    if (settings->count == settings->capacity) {
        size_t capacity = settings->capacity ? 2 * settings->capacity : 64;
        Setting *grown = realloc(settings->settings, capacity * sizeof *grown);
        if (!grown) return error_memory(error, capacity * sizeof *grown);
        settings->settings = grown;
        settings->capacity = capacity;
    }
    Setting setting = {.type = type, .list = list, .count = count};
    setting.key = strndup(key, key_size);
    setting.values = calloc(count + 1, sizeof *setting.values);
    if (!setting.key || !setting.values) {
        free(setting.key);
        free(setting.values);
        return error_memory(error, (count + 1) * sizeof *setting.values);
    }
    settings->settings[settings->count] = setting;
    return &settings->settings[settings->count++];
}

bool settings_add_integer(Settings *settings, const char *key, uint32_t value, LLMError *error) {
    Setting *setting = settings_add(settings, key, strlen(key), SETTING_INTEGER, false, 1, error);
    if (setting) setting->values[0].integer = value;
    return setting != NULL;
}

bool settings_set_text(Settings *settings, size_t i, const char *text, size_t size,
                       LLMError *error) {
    Setting *setting = &settings->settings[settings->count - 1];
    if (memchr(text, 0, size))
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the text of %s has a NUL inside; the file is corrupt", settings->path,
                         setting->key);
    setting->values[i].text = strndup(text, size);
    return setting->values[i].text || error_memory(error, size);
}

static int compare_keys(const void *a, const void *b) {
    return strcmp(((const Setting *)a)->key, ((const Setting *)b)->key);
}

void settings_sort(Settings *settings) {
    if (settings->count > 0)
        qsort(settings->settings, settings->count, sizeof *settings->settings, compare_keys);
}

void settings_free(Settings *settings) {
    for (size_t i = 0; i < settings->count; i++) {
        Setting *setting = &settings->settings[i];
        for (size_t v = 0; v < setting->count && setting->type == SETTING_TEXT; v++)
            free(setting->values[v].text);
        free(setting->values);
        free(setting->key);
    }
    free(settings->settings);
    free(settings->path);
    *settings = (Settings){0};
}

/* --- reading --- */

const Setting *settings_find(const Settings *settings, const char *key) {
    Setting wanted = {.key = (char *)key};
    if (settings->count == 0) return NULL;
    Setting *found =
        bsearch(&wanted, settings->settings, settings->count, sizeof wanted, compare_keys);
    if (found) found->used = true;
    return found;
}

static bool wrong_kind(const Settings *settings, const char *key, const char *wanted,
                       LLMError *error) {
    return error_set(error, LLM_ERROR_FORMAT, "%s: %s is not %s; correct the file, or take another",
                     settings->path, key, wanted);
}

static bool equal(const Setting *setting, size_t a, size_t b) {
    const SettingValue *values = setting->values;
    switch (setting->type) {
    case SETTING_INTEGER:
        return values[a].integer == values[b].integer;
    case SETTING_NUMBER:
        return values[a].number == values[b].number;
    case SETTING_BOOL:
        return values[a].truth == values[b].truth;
    case SETTING_TEXT:
        return strcmp(values[a].text, values[b].text) == 0;
    }
    return false;
}

/* The one value of a setting; *found is false where the key is absent. */
static bool single(const Settings *settings, const char *key, const Setting **found,
                   const char *wanted, LLMError *error) {
    *found = settings_find(settings, key);
    if (*found && setting_is_null(*found)) *found = NULL;
    if (!*found) return true;
    if ((*found)->count == 0) return wrong_kind(settings, key, wanted, error);
    for (size_t i = 1; i < (*found)->count; i++)
        if (!equal(*found, 0, i))
            return error_set(error, LLM_ERROR_FORMAT,
                             "%s: %s has values that differ by layer, which is not supported",
                             settings->path, key);
    return true;
}

bool settings_get_integer(const Settings *settings, const char *key, uint32_t *value,
                          LLMError *error) {
    static const char wanted[] = "a whole number from 0 to 2^32 - 1";
    const Setting *setting;
    if (!single(settings, key, &setting, wanted, error)) return false;
    if (!setting) return true;
    int64_t integer = setting->values[0].integer;
    if (setting->type != SETTING_INTEGER || integer < 0 || integer > UINT32_MAX)
        return wrong_kind(settings, key, wanted, error);
    *value = (uint32_t)integer;
    return true;
}

bool settings_get_float(const Settings *settings, const char *key, float *value, LLMError *error) {
    const Setting *setting;
    if (!single(settings, key, &setting, "a number", error)) return false;
    if (!setting) return true;
    if (setting->type == SETTING_INTEGER)
        *value = (float)setting->values[0].integer;
    else if (setting->type == SETTING_NUMBER)
        *value = (float)setting->values[0].number;
    else
        return wrong_kind(settings, key, "a number", error);
    return true;
}

bool settings_get_bool(const Settings *settings, const char *key, bool *value, LLMError *error) {
    const Setting *setting;
    if (!single(settings, key, &setting, "true or false", error)) return false;
    if (!setting) return true;
    if (setting->type != SETTING_BOOL) return wrong_kind(settings, key, "true or false", error);
    *value = setting->values[0].truth;
    return true;
}

bool settings_get_text(const Settings *settings, const char *key, const char **value,
                       LLMError *error) {
    const Setting *setting;
    if (!single(settings, key, &setting, "a text", error)) return false;
    if (!setting) return true;
    if (setting->type != SETTING_TEXT) return wrong_kind(settings, key, "a text", error);
    *value = setting->values[0].text;
    return true;
}

void setting_describe(const Setting *setting, char *text, size_t size) {
    if (setting->list || setting->count == 0)
        snprintf(text, size, "[...]");
    else if (setting->type == SETTING_INTEGER)
        snprintf(text, size, "%lld", (long long)setting->values[0].integer);
    else if (setting->type == SETTING_NUMBER)
        snprintf(text, size, "%g", setting->values[0].number);
    else if (setting->type == SETTING_BOOL)
        snprintf(text, size, "%s", setting->values[0].truth ? "true" : "false");
    else
        snprintf(text, size, "%s", setting->values[0].text);
}
