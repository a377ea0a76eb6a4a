/* GPT-2 models in GGUF files, with the keys and tensor names that llama.cpp writes for the
 * architecture "gpt2". */
#include "gguf_file.h"

#include <stdlib.h>
#include <string.h>

static bool missing(const GGUFFile *gguf, const char *key, LLMError *error) {
    return error_set(error, LLM_ERROR_FORMAT,
                     "%s: the key %s is missing; the file is incomplete, convert the model again",
                     gguf->path, key);
}

/* --- configuration --- */

static bool check_architecture(const GGUFFile *gguf, LLMError *error) {
    Text architecture = {"", 0};
    if (!gguf_get_text(gguf, "general.architecture", &architecture, error)) return false;
    if (!text_is(architecture, "gpt2"))
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the architecture is \"%.*s\"; only models of the architecture "
                         "\"gpt2\" are opened",
                         gguf->path, TEXT_ARGUMENTS(architecture));
    uint32_t parts = 1;
    if (!gguf_get_integer(gguf, "split.count", &parts, error)) return false;
    if (parts > 1)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: this file is one of %u; join them with llama-gguf-split --merge",
                         gguf->path, parts);
    return true;
}

/* The number of token texts, else the rows of the embedding. */
static bool read_vocabulary_size(const GGUFFile *gguf, uint32_t *vocabulary, LLMError *error) {
    const GGUFEntry *tokens;
    const StoredTensor *embedding = index_find(&gguf->tensors, "token_embd.weight");
    if (!gguf_get_array(gguf, "tokenizer.ggml.tokens", GGUF_STRING, &tokens, error)) return false;
    uint64_t count = tokens ? tokens->count : embedding ? embedding->shape[0] : 0;
    *vocabulary = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
    return gguf_get_integer(gguf, "gpt2.vocab_size", vocabulary, error);
}

static bool read_config(const GGUFFile *gguf, ModelConfig *config, LLMError *error) {
    const struct {
        const char *key;
        uint32_t *value;
    } sizes[] = {
        {"gpt2.block_count", &config->layers},        {"gpt2.attention.head_count", &config->heads},
        {"gpt2.embedding_length", &config->channels}, {"gpt2.feed_forward_length", &config->inner},
        {"gpt2.context_length", &config->context},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (!gguf_find(gguf, sizes[i].key)) return missing(gguf, sizes[i].key, error);
        if (!gguf_get_integer(gguf, sizes[i].key, sizes[i].value, error)) return false;
    }
    const char *epsilon = "gpt2.attention.layer_norm_epsilon";
    if (!gguf_find(gguf, epsilon)) return missing(gguf, epsilon, error);
    if (!gguf_get_float(gguf, epsilon, &config->epsilon, error)) return false;
    uint32_t kv_heads = config->heads;
    if (!gguf_get_integer(gguf, "gpt2.attention.head_count_kv", &kv_heads, error)) return false;
    if (kv_heads != config->heads)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %u heads of keys for %u heads of queries are not supported; GPT-2 "
                         "has as many of both",
                         gguf->path, kv_heads, config->heads);
    config->scale_attention = true;
    return read_vocabulary_size(gguf, &config->vocabulary, error);
}

/* --- tokenizer --- */

/* Refuse what would split or frame a text in another way than GPT-2's tokenizer does. llama.cpp
 * calls the same split by the names below; "default" stands for a converter that did not know. */
static bool check_split(const GGUFFile *gguf, LLMError *error) {
    static const char *const same[] = {"gpt-2", "default", "phi-2",  "mpt",
                                       "olmo",  "jais",    "exaone4"};
    Text split = {"default", 7};
    if (!gguf_get_text(gguf, "tokenizer.ggml.pre", &split, error)) return false;
    bool known = false;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        known |= text_is(split, same[i]);
    if (!known)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the tokenizer splits text as \"%.*s\", which is not supported; only "
                         "GPT-2's way (\"gpt-2\") is",
                         gguf->path, TEXT_ARGUMENTS(split));
    static const char *const additions[] = {"tokenizer.ggml.add_eos_token",
                                            "tokenizer.ggml.add_sep_token"};
    for (size_t i = 0; i < sizeof additions / sizeof *additions; i++) {
        bool adds = false;
        if (!gguf_get_bool(gguf, additions[i], &adds, error)) return false;
        if (adds)
            return error_set(error, LLM_ERROR_FORMAT,
                             "%s: %s is true, which is not supported; set it to false with "
                             "gguf-set-metadata",
                             gguf->path, additions[i]);
    }
    return true;
}

/* The tokenizer's part of the metadata. Old files bring no types (NULL). */
typedef struct Vocabulary {
    const GGUFEntry *tokens, *types, *merges;
    uint32_t begin, end; /* the special tokens, where there are no types */
} Vocabulary;

static bool add_tokens(Tokenizer *tokenizer, const Vocabulary *vocabulary, LLMError *error) {
    Reader texts = vocabulary->tokens->values;
    Reader types = vocabulary->types ? vocabulary->types->values : (Reader){0};
    for (uint32_t id = 0; id < vocabulary->tokens->count; id++) {
        Text text = reader_text(&texts);
        uint32_t type = GGUF_TOKEN_NORMAL;
        if (vocabulary->types)
            type = reader_u32(&types);
        else if (id == vocabulary->begin || id == vocabulary->end)
            type = GGUF_TOKEN_CONTROL;
        if (type == GGUF_TOKEN_UNUSED) continue;
        if (type < GGUF_TOKEN_NORMAL || type > GGUF_TOKEN_UNUSED)
            return error_set(error, LLM_ERROR_FORMAT,
                             "token %u is of the type %u, which GPT-2's tokenizer has not; "
                             "convert the model again",
                             id, type);
        if (!tokenizer_add_token(tokenizer, id, text.data, text.size,
                                 type == GGUF_TOKEN_NORMAL ? TOKEN_PRINTABLE : TOKEN_SPECIAL,
                                 error))
            return false;
    }
    return true;
}

static bool add_merges(Tokenizer *tokenizer, const Vocabulary *vocabulary, LLMError *error) {
    Reader texts = vocabulary->merges->values;
    for (uint64_t i = 0; i < vocabulary->merges->count; i++) {
        Text merge = reader_text(&texts);
        if (!tokenizer_add_merge(tokenizer, merge.data, merge.size, error)) return false;
    }
    return true;
}

static bool read_vocabulary(const GGUFFile *gguf, Vocabulary *vocabulary, uint32_t size,
                            LLMError *error) {
    *vocabulary = (Vocabulary){.begin = UINT32_MAX, .end = UINT32_MAX};
    if (!gguf_get_array(gguf, "tokenizer.ggml.tokens", GGUF_STRING, &vocabulary->tokens, error) ||
        !gguf_get_array(gguf, "tokenizer.ggml.token_type", GGUF_I32, &vocabulary->types, error) ||
        !gguf_get_array(gguf, "tokenizer.ggml.merges", GGUF_STRING, &vocabulary->merges, error) ||
        !gguf_get_integer(gguf, "tokenizer.ggml.bos_token_id", &vocabulary->begin, error) ||
        !gguf_get_integer(gguf, "tokenizer.ggml.eos_token_id", &vocabulary->end, error))
        return false;
    if (!vocabulary->tokens) return missing(gguf, "tokenizer.ggml.tokens", error);
    if (!vocabulary->merges) return missing(gguf, "tokenizer.ggml.merges", error);
    uint64_t tokens = vocabulary->tokens->count;
    uint64_t types = vocabulary->types ? vocabulary->types->count : tokens;
    if (tokens > size || types != tokens)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: %llu tokens with %llu types do not fit a vocabulary of %u; the file "
                         "is corrupt",
                         gguf->path, (unsigned long long)tokens, (unsigned long long)types, size);
    return true;
}

static bool build_tokenizer(const GGUFFile *gguf, Checkpoint *checkpoint, LLMError *error) {
    Vocabulary vocabulary;
    if (!read_vocabulary(gguf, &vocabulary, checkpoint->config.vocabulary, error)) return false;
    LLMError reason = {0};
    checkpoint->tokenizer = tokenizer_new(checkpoint->config.vocabulary, &reason);
    if (!checkpoint->tokenizer || !add_tokens(checkpoint->tokenizer, &vocabulary, &reason) ||
        !add_merges(checkpoint->tokenizer, &vocabulary, &reason) ||
        !tokenizer_finish(checkpoint->tokenizer, &reason))
        return error_set(error, reason.status, "%s: %s", gguf->path, reason.message);
    checkpoint_set_end_of_text(checkpoint, vocabulary.end);
    bool begins = false;
    return gguf_get_bool(gguf, "tokenizer.ggml.add_bos_token", &begins, error) &&
           (!begins || tokenizer_set_begin_of_text(checkpoint->tokenizer, vocabulary.begin, error));
}

static bool read_tokenizer(const GGUFFile *gguf, Checkpoint *checkpoint, LLMError *error) {
    Text model = {"none", 4};
    if (!gguf_get_text(gguf, "tokenizer.ggml.model", &model, error)) return false;
    if (text_is(model, "none") || text_is(model, "no_vocab")) return true;
    if (!text_is(model, "gpt2"))
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: the tokenizer is of the kind \"%.*s\", which is not supported; only "
                         "\"gpt2\" is",
                         gguf->path, TEXT_ARGUMENTS(model));
    return check_split(gguf, error) && build_tokenizer(gguf, checkpoint, error);
}

/* --- the whole file --- */

static bool read_name(const GGUFFile *gguf, Checkpoint *checkpoint, LLMError *error) {
    Text name = {"", 0};
    if (!gguf_get_text(gguf, "general.name", &name, error)) return false;
    if (name.size == 0) return checkpoint_name_after(checkpoint, gguf->path, ".gguf", error);
    checkpoint->name = strndup(name.data, name.size);
    if (!checkpoint->name) error_memory(error, name.size);
    return checkpoint->name != NULL;
}

/* llama.cpp refuses a tensor that the architecture has not; so do we, rather than ignore it. */
static bool check_unused(const GGUFFile *gguf, LLMError *error) {
    for (size_t i = 0; i < gguf->tensors.count; i++)
        if (!gguf->tensors.tensors[i].used)
            return error_set(error, LLM_ERROR_FORMAT,
                             "%s: the tensor %.80s is not part of GPT-2; the file is of another "
                             "model",
                             gguf->path, gguf->tensors.tensors[i].name);
    return true;
}

static bool load(GGUFFile *gguf, Checkpoint *checkpoint, LLMError *error) {
    Naming naming = {.gguf = true, .prefix = ""};
    return check_architecture(gguf, error) && gguf_read_tensors(gguf, error) &&
           read_config(gguf, &checkpoint->config, error) &&
           checkpoint_configure(checkpoint, gguf->path, error) &&
           index_attach(&gguf->tensors, checkpoint, naming, gguf->path, error) &&
           check_unused(gguf, error) && read_name(gguf, checkpoint, error) &&
           read_tokenizer(gguf, checkpoint, error);
}

bool gguf_load(Checkpoint *checkpoint, const char *path, LLMError *error) {
    FileMap map;
    if (!checkpoint_map(checkpoint, path, &map, error)) return false;
    checkpoint->format = "GGUF";
    GGUFFile gguf;
    bool loaded = gguf_open(&gguf, map, path, error) && load(&gguf, checkpoint, error);
    gguf_close(&gguf);
    return loaded;
}
