#include "model_file.h"

#include "checkpoint/open.h"
#include "tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Opening {
    ModelFile *file;
    const Checkpoint *checkpoint;
    const Architecture *architecture;
    bool gguf;       /* names and keys are GGUF's */
    bool unprefixed; /* Hugging Face's names lack the architecture's prefix */
    LLMError *error;
} Opening;

/* --- settings --- */

enum { MAX_KEY = 128 };

static const char *settings_path(const Opening *opening) {
    return opening->checkpoint->settings.path;
}

/* The key of a row in this file, or NULL if none of its spellings is there. */
static const char *find_key(const Opening *opening, const SettingRow *row, char gguf[MAX_KEY]) {
    const Settings *settings = &opening->checkpoint->settings;
    const char *key = NULL;
    if (opening->gguf && row->gguf && *row->gguf) {
        snprintf(gguf, MAX_KEY, "%s.%s", opening->architecture->name, row->gguf);
        if (settings_find(settings, gguf)) key = gguf;
    }
    for (size_t i = SPELLINGS; !opening->gguf && i-- > 0;)
        if (row->huggingface[i] && settings_find(settings, row->huggingface[i]))
            key = row->huggingface[i];
    return key;
}

static bool check_size(const Opening *opening, const SettingRow *row, uint32_t value) {
    return (value > 0 && value <= row->most) ||
           error_set(opening->error, LLM_ERROR_FORMAT,
                     "%s: the configuration has %u %s, where 1 to %.0f are possible; the file is "
                     "corrupt or not a %s model",
                     settings_path(opening), value, row->what, row->most,
                     opening->architecture->title);
}

static bool check_number(const Opening *opening, const SettingRow *row, float value) {
    return (value > 0 && value <= row->most) ||
           error_set(opening->error, LLM_ERROR_FORMAT,
                     "%s: the %s is %g, where a number above 0 and up to %g is due; the file is "
                     "corrupt",
                     settings_path(opening), row->what, (double)value, row->most);
}

static bool read_given(const Opening *opening, const SettingRow *row, const char *key,
                       void *value) {
    const Settings *settings = &opening->checkpoint->settings;
    switch (row->kind) {
    case KIND_SIZE:
        return settings_get_integer(settings, key, value, opening->error) &&
               check_size(opening, row, *(uint32_t *)value);
    case KIND_NUMBER:
        return settings_get_float(settings, key, value, opening->error) &&
               check_number(opening, row, *(float *)value);
    case KIND_SWITCH:
        return settings_get_bool(settings, key, value, opening->error);
    }
    return false;
}

/* The fallbacks of sizes are those of config.json. */
static void set_fallback(const Opening *opening, const SettingRow *row, void *value) {
    if (row->kind == KIND_SIZE)
        *(uint32_t *)value = opening->gguf ? 0 : (uint32_t)row->fallback;
    else if (row->kind == KIND_NUMBER)
        *(float *)value = (float)row->fallback;
    else
        *(bool *)value = row->fallback != 0;
}

static bool read_setting(const Opening *opening, const SettingRow *row) {
    char gguf[MAX_KEY];
    const char *key = find_key(opening, row, gguf);
    void *value = (char *)&opening->file->config + row->into;
    set_fallback(opening, row, value);
    if (key) return read_given(opening, row, key, value);
    return !opening->gguf || !row->required ||
           error_set(opening->error, LLM_ERROR_FORMAT,
                     "%s: the key %s is missing; the file is incomplete, convert the model again",
                     settings_path(opening), gguf);
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

static bool check_fixed(const Opening *opening, const FixedSetting *fixed) {
    const Settings *settings = &opening->checkpoint->settings;
    const char *own = opening->gguf ? fixed->gguf : fixed->huggingface;
    char key[MAX_KEY], value[80];
    if (!own) return true;
    snprintf(key, sizeof key, "%s%s%s", opening->gguf ? opening->architecture->name : "",
             opening->gguf ? "." : "", own);
    for (size_t i = 0; i < settings->count; i++) {
        Setting *setting = &settings->settings[i];
        if (!is_or_is_in(setting->key, key)) continue;
        setting->used = true;
        setting_describe(setting, value, sizeof value);
        if (!is_one_of(value, fixed->values))
            return error_set(opening->error, LLM_ERROR_FORMAT,
                             "%s: \"%.100s\" is %s, which is not supported; %s",
                             settings_path(opening), setting->key, value, fixed->advice);
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
static bool check_unknown(const Opening *opening) {
    const Settings *settings = &opening->checkpoint->settings;
    const Architecture *architecture = opening->architecture;
    char value[80];
    for (size_t i = 0; i < settings->count; i++) {
        const Setting *setting = &settings->settings[i];
        bool harmless = opening->gguf ? !is_or_is_in(setting->key, architecture->name)
                                      : is_ignored(setting->key, ignored_everywhere) ||
                                            is_ignored(setting->key, architecture->ignored) ||
                                            says_nothing(setting);
        if (setting->used || harmless) continue;
        setting_describe(setting, value, sizeof value);
        return error_set(opening->error, LLM_ERROR_FORMAT,
                         "%s: \"%.100s\" is %s, a setting of %s that is not known here and may "
                         "change what the model computes; if it does not, take it out of the file",
                         settings_path(opening), setting->key, value, architecture->title);
    }
    return true;
}

/* A GGUF file need not say it: it is the number of tokens, or else of the embedding's rows. */
static void derive_vocabulary(const Opening *opening) {
    ModelConfig *config = &opening->file->config;
    const StoredTensor *embedding =
        index_find(&opening->checkpoint->tensors, opening->architecture->tensors[0].gguf);
    uint64_t rows = embedding && embedding->dimensions == 2 ? embedding->shape[0] : 0;
    if (rows > UINT32_MAX) rows = UINT32_MAX;
    uint32_t tokens = opening->checkpoint->token_count;
    config->vocabulary = tokens && tokens < rows ? tokens : (uint32_t)rows;
}

static bool read_config(const Opening *opening) {
    const Architecture *architecture = opening->architecture;
    ModelConfig *config = &opening->file->config;
    for (const FixedSetting *fixed = fixed_everywhere; fixed->advice; fixed++)
        if (!check_fixed(opening, fixed)) return false;
    for (const FixedSetting *fixed = architecture->fixed; fixed->advice; fixed++)
        if (!check_fixed(opening, fixed)) return false;
    const SettingRow *vocabulary = NULL;
    for (const SettingRow *row = architecture->settings; row->what; row++) {
        if (!read_setting(opening, row)) return false;
        if (row->into == offsetof(ModelConfig, vocabulary)) vocabulary = row;
    }
    if (config->vocabulary == 0) derive_vocabulary(opening);
    return check_size(opening, vocabulary, config->vocabulary) &&
           architecture->settle(config, settings_path(opening), opening->error) &&
           check_unknown(opening);
}

/* --- tensors --- */

/* "[768, 2304]" */
static void write_shape(char *text, size_t size, const uint64_t *shape, uint32_t dimensions) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (uint32_t i = 0; i < dimensions && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? ", %llu" : "%llu",
                                 (unsigned long long)shape[i]);
    if (used < size) snprintf(text + used, size - used, "]");
}

static bool shape_mismatch(const Opening *opening, const StoredTensor *stored,
                           const uint64_t *expected, uint32_t dimensions) {
    char found[96], wanted[48];
    write_shape(found, sizeof found, stored->shape, stored->dimensions);
    write_shape(wanted, sizeof wanted, expected, dimensions);
    return error_set(opening->error, LLM_ERROR_FORMAT,
                     "%s: %s has the shape %s, but the configuration asks for %s; "
                     "the file is corrupt or of another model",
                     opening->checkpoint->path, stored->name, found, wanted);
}

/* Vocabularies are sometimes padded with rows that stand for no token; those are left out. */
static bool check_shape(const Opening *opening, const StoredTensor *stored, const TensorRow *row,
                        const Tensor *tensor) {
    uint64_t expected[2] = {tensor->rows, tensor->columns};
    if (tensor->transposed) expected[0] = tensor->columns, expected[1] = tensor->rows;
    uint32_t dimensions = shape_is_vector(row->shape) ? 1 : 2;
    bool padded = row->shape[0] == 'V' && stored->shape[0] > expected[0];
    bool equal = stored->dimensions == dimensions &&
                 (padded || stored->shape[0] == expected[2 - dimensions]) &&
                 (dimensions == 1 || stored->shape[1] == expected[1]);
    return equal || shape_mismatch(opening, stored, expected + 2 - dimensions, dimensions);
}

static bool check_type(const Opening *opening, const StoredTensor *stored, const TensorRow *row) {
    if (stored->type == TENSOR_TYPES)
        return error_set(opening->error, LLM_ERROR_FORMAT,
                         "%s: %s is stored as %s, which is not supported; save the model as "
                         "float32, float16 or bfloat16",
                         opening->checkpoint->path, stored->name, stored->foreign);
    if (type_is_float(stored->type) || row_is_matrix(row)) return true;
    return error_set(opening->error, LLM_ERROR_FORMAT,
                     "%s: %s is stored as %s, but must be f32, f16 or bf16; convert it to f32",
                     opening->checkpoint->path, stored->name, tensor_type_name(stored->type));
}

/* What the file calls the tensor. */
static void own_name(const Opening *opening, char name[MAX_NAME], const char *gguf,
                     const char *huggingface, uint32_t layer) {
    const char *prefix = opening->architecture->base_prefix;
    size_t size = strlen(prefix);
    const char *pattern = opening->gguf ? gguf : huggingface;
    if (opening->unprefixed && strncmp(pattern, prefix, size) == 0) pattern += size;
    tensor_name(name, pattern, layer);
}

static StoredTensor *find_row(const Opening *opening, const TensorRow *row, uint32_t layer,
                              char name[MAX_NAME]) {
    own_name(opening, name, row->gguf, row->huggingface, layer);
    return index_find(&opening->checkpoint->tensors, name);
}

/* Of two tensors that are one, safetensors keeps one name: the embedding may be there only as the
 * output. */
static StoredTensor *find_tied(const Opening *opening, const TensorRow *row) {
    char name[MAX_NAME];
    if (!opening->file->config.tied || row != opening->architecture->tensors) return NULL;
    while (row->what && !(row->flags & TENSOR_OUTPUT))
        row++;
    return row->what ? find_row(opening, row, 0, name) : NULL;
}

static bool missing(const Opening *opening, const TensorRow *row, const char *name) {
    if (row->flags & TENSOR_OUTPUT)
        return error_set(opening->error, LLM_ERROR_FORMAT,
                         "%s: config.json says \"tie_word_embeddings\": false, but the tensor %s "
                         "is missing; save the model with its language model head",
                         opening->checkpoint->path, name);
    return error_set(opening->error, LLM_ERROR_FORMAT,
                     "%s: the tensor %s is missing; the file is incomplete or of another model",
                     opening->checkpoint->path, name);
}

static bool place(Opening *opening, const TensorRow *row, uint32_t layer) {
    ModelFile *file = opening->file;
    char name[MAX_NAME];
    if ((row->flags & TENSOR_OUTPUT) && file->config.tied) return true;
    StoredTensor *stored = find_row(opening, row, layer, name);
    if (!stored) stored = find_tied(opening, row);
    if (!stored) return (row->flags & TENSOR_OPTIONAL) || missing(opening, row, name);
    stored->used = true;
    Tensor tensor = {.type = stored->type,
                     .transposed = !opening->gguf && (row->flags & TENSOR_CONV1D),
                     .data = stored->data};
    shape_sizes(row->shape, &file->config, &tensor.rows, &tensor.columns);
    if (!check_shape(opening, stored, row, &tensor) || !check_type(opening, stored, row))
        return false;
    file->tensors[file->tensor_count++] = (ModelTensor){row, layer, tensor};
    return true;
}

/* Layer by layer, each row of the layers in turn: `first` to before `end`. */
static bool place_layers(Opening *opening, const TensorRow *first, const TensorRow *end) {
    for (uint32_t layer = 0; layer < opening->file->config.layers; layer++)
        for (const TensorRow *row = first; row < end; row++)
            if (!place(opening, row, layer)) return false;
    return true;
}

static bool place_all(Opening *opening) {
    const TensorRow *row = opening->architecture->tensors, *end = row;
    while (end->what)
        end++;
    size_t most = (size_t)(end - row) * opening->file->config.layers;
    opening->file->tensors = calloc(most, sizeof *opening->file->tensors);
    if (!opening->file->tensors)
        return error_memory(opening->error, most * sizeof *opening->file->tensors);
    while (row < end) {
        const TensorRow *next = row + 1;
        while (row_is_per_layer(row) && next < end && row_is_per_layer(next))
            next++;
        if (row_is_per_layer(row) ? !place_layers(opening, row, next) : !place(opening, row, 0))
            return false;
        row = next;
    }
    return true;
}

/* Buffers that are no weights. */
static void ignore_buffers(const Opening *opening) {
    char name[MAX_NAME];
    for (const char *const *pattern = opening->architecture->ignored_tensors; *pattern; pattern++)
        for (uint32_t layer = 0; layer < opening->file->config.layers; layer++) {
            own_name(opening, name, *pattern, *pattern, layer);
            StoredTensor *stored = index_find(&opening->checkpoint->tensors, name);
            if (stored) stored->used = true;
        }
}

/* llama.cpp refuses a tensor that the architecture has not; so do we, rather than ignore it. In a
 * Hugging Face folder, heads for other tasks are no part of the text model, but an unknown tensor
 * inside a layer, of an adapter for instance, would change it. */
static bool check_unused(const Opening *opening) {
    const TensorIndex *index = &opening->checkpoint->tensors;
    const TensorRow *row = opening->architecture->tensors;
    char layers[MAX_NAME] = "";
    while (!row_is_per_layer(row))
        row++;
    if (!opening->gguf) own_name(opening, layers, row->gguf, row->huggingface, 0);
    if (!opening->gguf) *strchr(layers, '0') = 0;
    for (size_t i = 0; i < index->count; i++)
        if (!index->tensors[i].used && strncmp(index->tensors[i].name, layers, strlen(layers)) == 0)
            return error_set(opening->error, LLM_ERROR_FORMAT,
                             "%s: the tensor %.80s is not part of the %s model that the "
                             "configuration describes; the file is of another model",
                             opening->checkpoint->path, index->tensors[i].name,
                             opening->architecture->title);
    return true;
}

static bool read_tensors(Opening *opening) {
    const TensorIndex *index = &opening->checkpoint->tensors;
    const TensorRow *rows = opening->architecture->tensors;
    char name[MAX_NAME];
    opening->unprefixed = true;
    opening->unprefixed = !opening->gguf && find_row(opening, &rows[0], 0, name);
    if (opening->gguf) opening->file->config.tied = !index_find(index, "output.weight");
    if (!place_all(opening)) return false;
    ignore_buffers(opening);
    return check_unused(opening);
}

/* --- the whole file --- */

/* Tokens that end a text, those of the model; else the tokenizer's own. */
static bool read_ends(ModelFile *file, LLMError *error) {
    const LLMTokens *ends = &file->checkpoint->ends;
    for (size_t i = 0; i < ends->count; i++)
        if (ends->ids[i] < file->config.vocabulary &&
            !tokens_append(&file->ends, ends->ids[i], error))
            return false;
    uint32_t own = file->tokenizer ? tokenizer_end_of_text(file->tokenizer) : UINT32_MAX;
    if (file->ends.count == 0 && own < file->config.vocabulary &&
        !tokens_append(&file->ends, own, error))
        return false;
    file->end_of_text = file->ends.count ? file->ends.ids[0] : UINT32_MAX;
    return true;
}

static bool check_weights(const Checkpoint *checkpoint, LLMError *error) {
    return checkpoint->tensors.count > 0 ||
           error_set(error, LLM_ERROR_FORMAT,
                     "%s: there are no weights in it, only a vocabulary or less; it is no model "
                     "that can be run",
                     checkpoint->path);
}

static bool open_file(ModelFile *file, const char *path, LLMError *error) {
    file->checkpoint = checkpoint_open(path, USE_MODEL, error);
    if (!file->checkpoint) return false;
    file->format = file->checkpoint->format;
    file->name = file->checkpoint->name;
    file->tokenizer = file->checkpoint->tokenizer;
    file->tokenizer_problem = &file->checkpoint->tokenizer_problem;
    file->architecture =
        architecture_find(file->checkpoint->architecture, file->checkpoint->settings.path, error);
    Opening opening = {.file = file,
                       .checkpoint = file->checkpoint,
                       .architecture = file->architecture,
                       .gguf = file->checkpoint->naming == GGUF_NAMES,
                       .error = error};
    return file->architecture && check_weights(file->checkpoint, error) && read_config(&opening) &&
           read_tensors(&opening) && read_ends(file, error);
}

ModelFile *model_file_open(const char *path, LLMError *error) {
    if (error_is_set(error)) return NULL;
    ModelFile *file = calloc(1, sizeof *file);
    if (!file) return error_memory(error, sizeof *file);
    if (open_file(file, path, error)) return file;
    model_file_close(file);
    return NULL;
}

void model_file_close(ModelFile *file) {
    if (!file) return;
    llm_tokens_free(&file->ends);
    free(file->tensors);
    checkpoint_close(file->checkpoint);
    free(file);
}

TensorType model_file_type(const ModelFile *file) {
    for (size_t i = 0; i < file->tensor_count; i++)
        if (row_is_per_layer(file->tensors[i].row) && row_is_matrix(file->tensors[i].row))
            return file->tensors[i].tensor.type;
    return TENSOR_F32;
}
