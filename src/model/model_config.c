#include "model_config.h"

#include <stdio.h>
#include <string.h>

enum { MAX_KEY = 128 };

typedef struct Reading {
    ModelConfig *config;
    const Checkpoint *checkpoint;
    const Architecture *architecture;
    bool gguf; /* keys are GGUF's */
    LLMError *error;
} Reading;

static const char *settings_path(const Reading *reading) {
    return reading->checkpoint->settings.path;
}

/* Whether the file has a value for the key; null is none. */
static bool has_value(const Settings *settings, const char *key) {
    const Setting *setting = settings_find(settings, key);
    return setting && !setting_is_null(setting);
}

/* The key of a row in this file, or NULL if none of its spellings is there. */
static const char *find_key(const Reading *reading, const SettingRow *row, char gguf[MAX_KEY]) {
    const Settings *settings = &reading->checkpoint->settings;
    const char *key = NULL;
    if (reading->gguf && row->gguf && *row->gguf) {
        snprintf(gguf, MAX_KEY, "%s.%s", reading->architecture->name, row->gguf);
        if (has_value(settings, gguf)) key = gguf;
    }
    for (size_t i = SPELLINGS; !reading->gguf && i-- > 0;)
        if (row->huggingface[i] && has_value(settings, row->huggingface[i]))
            key = row->huggingface[i];
    return key;
}

/* Whether config.json has null for it, and says so that there is none. */
static bool is_null(const Reading *reading, const SettingRow *row) {
    for (size_t i = 0; !reading->gguf && i < SPELLINGS; i++)
        if (row->huggingface[i] &&
            settings_find(&reading->checkpoint->settings, row->huggingface[i]))
            return true;
    return false;
}

static bool check_size(const Reading *reading, const SettingRow *row, uint32_t value) {
    uint32_t least = row->kind == KIND_COUNT ? 0 : 1;
    return (value >= least && value <= row->most) ||
           error_set(reading->error, LLM_ERROR_FORMAT,
                     "%s: the configuration has %u %s, where %u to %.0f are possible; the file is "
                     "corrupt or not a %s model",
                     settings_path(reading), value, row->what, least, row->most,
                     reading->architecture->title);
}

static bool check_number(const Reading *reading, const SettingRow *row, float value) {
    return (value > 0 && value <= row->most) ||
           error_set(reading->error, LLM_ERROR_FORMAT,
                     "%s: the %s is %g, where a number above 0 and up to %g is due; the file is "
                     "corrupt",
                     settings_path(reading), row->what, (double)value, row->most);
}

/* One of the row's names. */
static bool read_name(const Reading *reading, const SettingRow *row, const char *key,
                      uint32_t *value) {
    const char *text = "";
    if (!settings_get_text(&reading->checkpoint->settings, key, &text, reading->error))
        return false;
    for (const SettingName *name = row->names; name->name; name++) {
        if (strcmp(name->name, text) != 0) continue;
        *value = name->value;
        return true;
    }
    return error_set(reading->error, LLM_ERROR_FORMAT,
                     "%s: \"%.100s\" is %.80s, which is not supported", settings_path(reading), key,
                     text);
}

/* Every `period`th layer is global, the others are windowed; 0: all are. */
static void set_period(ModelConfig *config, uint32_t period) {
    for (uint32_t l = 0; l < config->layers; l++)
        config->windowed[l] = period == 0 || l % period < period - 1;
}

static bool is_windowed(const Setting *setting, size_t i, bool *windowed) {
    const SettingValue *value = &setting->values[i];
    switch (setting->type) {
    case SETTING_BOOL:
        *windowed = value->truth;
        return true;
    case SETTING_INTEGER:
        *windowed = value->integer != 0;
        return true;
    case SETTING_TEXT:
        *windowed = strcmp(value->text, "sliding_attention") == 0;
        return *windowed || strcmp(value->text, "full_attention") == 0;
    default:
        return false;
    }
}

/* A period, or a value for each layer. */
static bool read_layers(const Reading *reading, const char *key) {
    const Settings *settings = &reading->checkpoint->settings;
    const Setting *setting = settings_find(settings, key);
    ModelConfig *config = reading->config;
    uint32_t period;
    config->says_windowed = true;
    if (!setting->list) {
        if (!settings_get_integer(settings, key, &period, reading->error)) return false;
        set_period(config, period);
        return true;
    }
    bool read = setting->count == config->layers;
    for (size_t l = 0; read && l < setting->count; l++)
        read = is_windowed(setting, l, &config->windowed[l]);
    return read || error_set(reading->error, LLM_ERROR_FORMAT,
                             "%s: \"%.100s\" does not say of each of the %u layers whether its "
                             "attention is windowed or full; correct the file",
                             settings_path(reading), key, config->layers);
}

static bool read_given(const Reading *reading, const SettingRow *row, const char *key,
                       void *value) {
    const Settings *settings = &reading->checkpoint->settings;
    switch (row->kind) {
    case KIND_SIZE:
    case KIND_COUNT:
        return settings_get_integer(settings, key, value, reading->error) &&
               check_size(reading, row, *(uint32_t *)value);
    case KIND_NUMBER:
        return settings_get_float(settings, key, value, reading->error) &&
               check_number(reading, row, *(float *)value);
    case KIND_SWITCH:
        return settings_get_bool(settings, key, value, reading->error);
    case KIND_NAME:
        return read_name(reading, row, key, value);
    case KIND_LAYERS:
        return read_layers(reading, key);
    }
    return false;
}

/* The fallbacks of sizes are those of config.json. */
static void set_fallback(const Reading *reading, const SettingRow *row, void *value) {
    bool none = reading->gguf || (!row->required && is_null(reading, row));
    switch (row->kind) {
    case KIND_SIZE:
    case KIND_COUNT:
    case KIND_NAME:
        *(uint32_t *)value = none ? 0 : (uint32_t)row->fallback;
        break;
    case KIND_NUMBER:
        *(float *)value = (float)row->fallback;
        break;
    case KIND_SWITCH:
        *(bool *)value = row->fallback != 0;
        break;
    case KIND_LAYERS:
        set_period(reading->config, (uint32_t)row->fallback);
    }
}

static bool read_setting(const Reading *reading, const SettingRow *row) {
    char gguf[MAX_KEY];
    const char *key = find_key(reading, row, gguf);
    void *value = (char *)reading->config + row->into;
    set_fallback(reading, row, value);
    if (key) return read_given(reading, row, key, value);
    return !reading->gguf || !row->required ||
           error_set(reading->error, LLM_ERROR_FORMAT,
                     "%s: the key %s is missing; the file is incomplete, convert the model again",
                     settings_path(reading), gguf);
}

static bool is_or_is_in(const char *key, const char *outer) {
    size_t size = strlen(outer);
    return strncmp(key, outer, size) == 0 && (key[size] == 0 || key[size] == '.');
}

/* Whether `value` is one of the words between the bars. */
static bool is_one_of(const char *value, const char *words) {
    size_t size = strlen(value);
    for (const char *word = words; word; word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL)
        if (strncmp(word, value, size) == 0 && (word[size] == '|' || word[size] == 0)) return size;
    return false;
}

static bool check_fixed(const Reading *reading, const FixedSetting *fixed) {
    const Settings *settings = &reading->checkpoint->settings;
    const char *own = reading->gguf ? fixed->gguf : fixed->huggingface;
    char key[MAX_KEY], value[80];
    if (!own) return true;
    snprintf(key, sizeof key, "%s%s%s", reading->gguf ? reading->architecture->name : "",
             reading->gguf ? "." : "", own);
    for (size_t i = 0; i < settings->count; i++) {
        Setting *setting = &settings->settings[i];
        if (!is_or_is_in(setting->key, key) || setting_is_null(setting)) continue;
        setting->used = true;
        setting_describe(setting, value, sizeof value);
        if (!is_one_of(value, fixed->values))
            return error_set(reading->error, LLM_ERROR_FORMAT,
                             "%s: \"%.100s\" is %s, which is not supported; %s",
                             settings_path(reading), setting->key, value, fixed->advice);
    }
    return true;
}

/* Of every config.json. */
static const FixedSetting fixed_everywhere[] = {
    {NULL, "quantization_config", "", "save the model without quantisation"},
    {NULL, "quantization", "", "save the model without quantisation"},
    {NULL, "is_encoder_decoder", "false", "use a model that reads one text, not two"},
    {NULL, "pruned_heads", "", "save the model with all of its heads"},
    {0},
};

/* What transformers' PretrainedConfig has for every model, and what changes no logits: how texts
 * are generated, labels of other tasks, training, memory. */
static const char *const ignored_everywhere[] = {
    "architectures",
    "attn_implementation",
    "auto_map",
    "bad_words_ids",
    "begin_suppress_tokens",
    "bos_token_id",
    "chunk_size_feed_forward",
    "cross_attention_hidden_size",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dtype",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "eos_token_id",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "gradient_checkpointing",
    "id2label",
    "initializer_range",
    "is_decoder",
    "label2id",
    "length_penalty",
    "max_length",
    "min_length",
    "model_type",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_labels",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_past",
    "output_scores",
    "pad_token_id",
    "prefix",
    "problem_type",
    "remove_invalid_values",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "suppress_tokens",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "tie_encoder_decoder",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "typical_p",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
    NULL,
};

static bool is_ignored(const char *key, const char *const *ignored) {
    for (; *ignored; ignored++)
        if (is_or_is_in(key, *ignored)) return true;
    return false;
}

/* A key that is off, or empty, or begins with "_" as transformers' own notes do. */
static bool says_nothing(const Setting *setting) {
    bool off = setting->type == SETTING_BOOL && setting->count == 1 && !setting->values[0].truth;
    return off || setting->count == 0 || *setting->key == '_';
}

/* What the table does not know may change what the model computes. */
static bool check_unknown(const Reading *reading) {
    const Settings *settings = &reading->checkpoint->settings;
    const Architecture *architecture = reading->architecture;
    char value[80];
    for (size_t i = 0; i < settings->count; i++) {
        const Setting *setting = &settings->settings[i];
        bool harmless = reading->gguf ? !is_or_is_in(setting->key, architecture->name)
                                      : is_ignored(setting->key, ignored_everywhere) ||
                                            is_ignored(setting->key, architecture->ignored) ||
                                            says_nothing(setting);
        if (setting->used || harmless) continue;
        setting_describe(setting, value, sizeof value);
        return error_set(reading->error, LLM_ERROR_FORMAT,
                         "%s: \"%.100s\" is %s, a setting of %s that is not known here and may "
                         "change what the model computes; if it does not, take it out of the file",
                         settings_path(reading), setting->key, value, architecture->title);
    }
    return true;
}

/* A GGUF file need not say it: it is the number of tokens, or else of the embedding's rows. */
static void derive_vocabulary(const Reading *reading) {
    ModelConfig *config = reading->config;
    const StoredTensor *embedding =
        index_find(&reading->checkpoint->tensors, reading->architecture->tensors[0].gguf);
    uint64_t rows = embedding && embedding->dimensions == 2 ? embedding->shape[0] : 0;
    if (rows > UINT32_MAX) rows = UINT32_MAX;
    uint32_t tokens = reading->checkpoint->token_count;
    config->vocabulary = tokens && tokens < rows ? tokens : (uint32_t)rows;
}

static bool read_all(const Reading *reading) {
    const Architecture *architecture = reading->architecture;
    ModelConfig *config = reading->config;
    for (const FixedSetting *fixed = fixed_everywhere; fixed->advice; fixed++)
        if (!check_fixed(reading, fixed)) return false;
    for (const FixedSetting *fixed = architecture->fixed; fixed->advice; fixed++)
        if (!check_fixed(reading, fixed)) return false;
    const SettingRow *vocabulary = NULL;
    for (const SettingRow *row = architecture->settings; row->what; row++) {
        if (!read_setting(reading, row)) return false;
        if (row->into == offsetof(ModelConfig, vocabulary)) vocabulary = row;
    }
    if (config->vocabulary == 0) derive_vocabulary(reading);
    return check_size(reading, vocabulary, config->vocabulary) &&
           architecture->settle(config, reading->checkpoint, reading->error) &&
           check_unknown(reading);
}

bool model_config_read(ModelConfig *config, const Architecture *architecture,
                       const Checkpoint *checkpoint, LLMError *error) {
    bool gguf = checkpoint->naming == GGUF_NAMES;
    *config = (ModelConfig){.embedding_scale = 1};
    config->rope.order = gguf ? architecture->gguf_order : ROPE_HALVES;
    return read_all(&(Reading){config, checkpoint, architecture, gguf, error});
}
