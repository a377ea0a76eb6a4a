/* settings.h — what a checkpoint says of its model besides the tensors: typed values by key.
 *
 * Keys are the file's own: "gpt2.block_count" in a GGUF file, "n_layer" in a config.json. A key
 * within an object of config.json comes after the object's: "rope_parameters.rope_theta".
 */
#ifndef METAL_LLM_SETTINGS_H
#define METAL_LLM_SETTINGS_H

#include "error.h"

typedef enum SettingType {
    SETTING_INTEGER,
    SETTING_NUMBER,
    SETTING_BOOL,
    SETTING_TEXT
} SettingType;

typedef union SettingValue {
    int64_t integer; /* those above 2^63 − 1 are stored as that */
    double number;
    bool truth;
    char *text; /* owned by the settings */
} SettingValue;

typedef struct Setting {
    char *key;        /* owned by the settings */
    SettingType type; /* of all values */
    bool list;        /* else there is exactly one value, or none for null */
    size_t count;
    SettingValue *values;
    bool used; /* has been read, or is known to change nothing */
} Setting;

/* Zero-initialise; release with settings_free. */
typedef struct Settings {
    char *path;        /* of the file, for messages; owned */
    Setting *settings; /* sorted by key once settings_sort has succeeded */
    size_t count, capacity;
} Settings;

/* --- filling; each is false and `error` on failure --- */

bool settings_begin(Settings *settings, const char *path, LLMError *error);
/* Add a key with room for `count` values, zeros, to be filled by the caller; NULL on failure. */
Setting *settings_add(Settings *settings, const char *key, size_t key_size, SettingType type,
                      bool list, size_t count, LLMError *error);
bool settings_add_integer(Settings *settings, const char *key, uint32_t value, LLMError *error);
/* Copy a text into the value `i` of the setting added last. One with a NUL inside is refused. */
bool settings_set_text(Settings *settings, size_t i, const char *text, size_t size,
                       LLMError *error);
/* Sort by key. To be called once, after the last settings_add. */
void settings_sort(Settings *settings);
void settings_free(Settings *settings);

/* --- reading --- */

/* The setting of a key, marked as used, or NULL. */
const Setting *settings_find(const Settings *settings, const char *key);
/* A value that stands for all: of a list, its only or always equal value. An absent key leaves
 * *value alone and is no error; a value of another kind, or a list whose values differ, is. */
bool settings_get_integer(const Settings *settings, const char *key, uint32_t *value,
                          LLMError *error);
bool settings_get_float(const Settings *settings, const char *key, float *value, LLMError *error);
bool settings_get_bool(const Settings *settings, const char *key, bool *value, LLMError *error);
/* *value is owned by the settings. */
bool settings_get_text(const Settings *settings, const char *key, const char **value,
                       LLMError *error);
/* Whether the file says that there is no value: null in config.json. For the others, the key is
 * absent. */
static inline bool setting_is_null(const Setting *setting) {
    return setting->count == 0 && !setting->list;
}
/* A value as text: "true", "12", "1e-05", "gelu"; "[…]" for a list. */
void setting_describe(const Setting *setting, char *text, size_t size);

#endif
