/* A Hugging Face folder of a GPT-2 model: config.json, its weights in one .safetensors file or in
 * several with an index, and its tokenizer. */
#include "json.h"
#include "loader.h"
#include "safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "folder/name", to be freed; NULL and `error` if memory is out. */
static char *join(const char *folder, const char *name, LLMError *error) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (!path) return error_memory(error, size);
    const char *separator = ends_with(folder, "/") ? "" : "/";
    snprintf(path, size, "%s%s%s", folder, separator, name);
    return path;
}

static bool exists(const char *folder, const char *name) {
    char *path = join(folder, name, NULL);
    bool found = path && access(path, F_OK) == 0;
    free(path);
    return found;
}

/* --- config.json --- */

static bool refuse(const char *path, const char *key, const char *value, const char *advice,
                   LLMError *error) {
    return error_set(error, LLM_ERROR_FORMAT, "%s: \"%s\" is %.80s, which is not supported; %s",
                     path, key, value, advice);
}

/* Old configurations name no model_type, only the class. */
static bool check_architecture(const cJSON *json, const char *path, LLMError *error) {
    const char *model = NULL;
    if (!json_get_text(json, "model_type", &model, path, error)) return false;
    if (!model) {
        const cJSON *classes = cJSON_GetObjectItemCaseSensitive(json, "architectures");
        const cJSON *class = cJSON_IsArray(classes) ? cJSON_GetArrayItem(classes, 0) : NULL;
        bool gpt2 = cJSON_IsString(class) && strncmp(class->valuestring, "GPT2", 4) == 0;
        model = gpt2 ? "gpt2" : "absent";
    }
    return strcmp(model, "gpt2") == 0 ||
           refuse(path, "model_type", model, "only \"gpt2\" models are opened", error);
}

/* What would change the computation is honoured or refused, never ignored. */
static bool check_supported(const cJSON *json, const char *path, LLMError *error) {
    const char *activation = "gelu_new";
    bool cross_attention = false;
    if (!json_get_text(json, "activation_function", &activation, path, error)) return false;
    if (strcmp(activation, "gelu_new") != 0 && strcmp(activation, "gelu_pytorch_tanh") != 0)
        return refuse(path, "activation_function", activation,
                      "only gelu_new and gelu_pytorch_tanh are", error);
    if (!json_get_bool(json, "add_cross_attention", &cross_attention, path, error)) return false;
    if (cross_attention)
        return refuse(path, "add_cross_attention", "true",
                      "use a model that reads one text, not two", error);
    const cJSON *quantisation = cJSON_GetObjectItemCaseSensitive(json, "quantization_config");
    if (quantisation && !cJSON_IsNull(quantisation))
        return refuse(path, "quantization_config", "set", "save the model without quantisation",
                      error);
    return true;
}

/* The defaults, and the other names of the same settings, are those of transformers' GPT2Config. */
static bool read_config(ModelConfig *config, bool *tied, const cJSON *json, const char *path,
                        LLMError *error) {
    *config = (ModelConfig){.layers = 12,
                            .heads = 12,
                            .channels = 768,
                            .context = 1024,
                            .vocabulary = 50257,
                            .epsilon = 1e-5f,
                            .scale_attention = true};
    const struct {
        const char *key;
        uint32_t *value;
    } sizes[] = {
        {"vocab_size", &config->vocabulary},
        {"num_hidden_layers", &config->layers},
        {"n_layer", &config->layers},
        {"num_attention_heads", &config->heads},
        {"n_head", &config->heads},
        {"hidden_size", &config->channels},
        {"n_embd", &config->channels},
        {"n_ctx", &config->context},
        {"max_position_embeddings", &config->context},
        {"n_positions", &config->context},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!json_get_integer(json, sizes[i].key, sizes[i].value, path, error)) return false;
    config->inner = 4 * config->channels;
    *tied = true;
    return json_get_integer(json, "n_inner", &config->inner, path, error) &&
           json_get_float(json, "layer_norm_epsilon", &config->epsilon, path, error) &&
           json_get_bool(json, "scale_attn_weights", &config->scale_attention, path, error) &&
           json_get_bool(json, "scale_attn_by_inverse_layer_idx", &config->scale_by_layer, path,
                         error) &&
           json_get_bool(json, "tie_word_embeddings", tied, path, error);
}

/* The token that ends a text; a list of such tokens is read as its first. */
static uint64_t read_end_of_text(const cJSON *json) {
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(json, "eos_token_id");
    uint64_t token;
    if (cJSON_IsArray(id)) id = cJSON_GetArrayItem(id, 0);
    return json_size(id, &token) ? token : UINT64_MAX;
}

static bool load_config(Checkpoint *checkpoint, bool *tied, uint64_t *end_of_text,
                        const char *folder, LLMError *error) {
    char *path = join(folder, "config.json", error);
    cJSON *json = path ? json_open_object(path, error) : NULL;
    bool loaded = json && check_architecture(json, path, error) &&
                  check_supported(json, path, error) &&
                  read_config(&checkpoint->config, tied, json, path, error) &&
                  checkpoint_configure(checkpoint, path, error);
    if (loaded) *end_of_text = read_end_of_text(json);
    cJSON_Delete(json);
    free(path);
    return loaded;
}

/* --- weights --- */

static bool load_shard(TensorIndex *index, Checkpoint *checkpoint, const char *folder,
                       const char *name, LLMError *error) {
    FileMap map;
    char *path = join(folder, name, error);
    bool loaded = path && checkpoint_map(checkpoint, path, &map, error) &&
                  safetensors_read(index, map, path, error);
    free(path);
    return loaded;
}

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Open each file that the index's map from tensors to files names, once. */
static bool load_mapped_shards(TensorIndex *index, Checkpoint *checkpoint, const char *folder,
                               const cJSON *weight_map, const char *path, LLMError *error) {
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
            loaded = load_shard(index, checkpoint, folder, names[i], error);
    free(names);
    return loaded;
}

static bool load_shards(TensorIndex *index, Checkpoint *checkpoint, const char *folder,
                        LLMError *error) {
    char *path = join(folder, "model.safetensors.index.json", error);
    cJSON *json = path ? json_open_object(path, error) : NULL;
    const cJSON *weight_map = cJSON_GetObjectItemCaseSensitive(json, "weight_map");
    bool loaded = false;
    if (json && !cJSON_IsObject(weight_map))
        error_set(error, LLM_ERROR_FORMAT, "%s: there is no \"weight_map\"; the index is corrupt",
                  path);
    else if (json)
        loaded = load_mapped_shards(index, checkpoint, folder, weight_map, path, error);
    cJSON_Delete(json);
    free(path);
    return loaded;
}

static bool load_files(TensorIndex *index, Checkpoint *checkpoint, const char *folder,
                       LLMError *error) {
    if (exists(folder, "model.safetensors"))
        return load_shard(index, checkpoint, folder, "model.safetensors", error);
    if (exists(folder, "model.safetensors.index.json"))
        return load_shards(index, checkpoint, folder, error);
    if (exists(folder, "pytorch_model.bin") || exists(folder, "pytorch_model.bin.index.json"))
        return error_set(error, LLM_ERROR_FILE,
                         "%s: the weights are only there as pytorch_model.bin, which is not "
                         "opened; load the folder with transformers and save it again with "
                         "model.save_pretrained(folder, safe_serialization=True)",
                         folder);
    return error_set(error, LLM_ERROR_FILE,
                     "%s: there is no model.safetensors in this folder; download it too", folder);
}

/* Heads for other tasks are no part of the text model, but an unknown tensor inside a layer, of an
 * adapter for instance, would change it. */
static bool check_unused(const TensorIndex *index, Naming naming, const char *folder,
                         LLMError *error) {
    char layers[32];
    snprintf(layers, sizeof layers, "%sh.", naming.prefix);
    for (size_t i = 0; i < index->count; i++)
        if (!index->tensors[i].used && strncmp(index->tensors[i].name, layers, strlen(layers)) == 0)
            return error_set(error, LLM_ERROR_FORMAT,
                             "%s: the tensor %.80s is not part of the GPT-2 model that config.json "
                             "describes",
                             folder, index->tensors[i].name);
    return true;
}

/* GPT2LMHeadModel puts "transformer." before the names of GPT2Model. */
static bool attach(TensorIndex *index, Checkpoint *checkpoint, bool tied, const char *folder,
                   LLMError *error) {
    Naming naming = {.prefix = index_find(index, "wte.weight") ? "" : "transformer."};
    if (!index_attach(index, checkpoint, naming, folder, error)) return false;
    if (tied) checkpoint->output.data = NULL;
    if (!tied && !checkpoint->output.data)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: config.json says \"tie_word_embeddings\": false, but the tensor "
                         "lm_head.weight is missing; save the model as GPT2LMHeadModel",
                         folder);
    return check_unused(index, naming, folder, error);
}

static bool load_weights(Checkpoint *checkpoint, bool tied, const char *folder, LLMError *error) {
    TensorIndex index = {0};
    bool loaded = load_files(&index, checkpoint, folder, error) &&
                  index_sort(&index, folder, error) &&
                  attach(&index, checkpoint, tied, folder, error);
    index_free(&index);
    return loaded;
}

/* --- the whole folder --- */

static bool load_tokenizer(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    if (!exists(folder, "tokenizer.json") && !exists(folder, "vocab.json")) return true;
    checkpoint->tokenizer = tokenizer_open_folder(folder, checkpoint->config.vocabulary, error);
    return checkpoint->tokenizer != NULL;
}

/* The folder's own name, also where it is given as "." or through a link. */
static bool read_name(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    char *resolved = realpath(folder, NULL);
    bool named = checkpoint_name_after(checkpoint, resolved ? resolved : folder, "", error);
    free(resolved);
    return named;
}

bool huggingface_load(Checkpoint *checkpoint, const char *folder, LLMError *error) {
    bool tied;
    uint64_t end_of_text;
    checkpoint->format = "Hugging Face";
    if (!exists(folder, "config.json"))
        return error_set(error, LLM_ERROR_FILE,
                         "%s: there is no config.json in this folder; give the folder of a Hugging "
                         "Face model",
                         folder);
    if (!load_config(checkpoint, &tied, &end_of_text, folder, error) ||
        !load_weights(checkpoint, tied, folder, error) || !read_name(checkpoint, folder, error) ||
        !load_tokenizer(checkpoint, folder, error))
        return false;
    checkpoint_set_end_of_text(checkpoint, end_of_text);
    return true;
}
