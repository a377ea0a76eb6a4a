/* GGUF files: their settings, tensors and tokenizer, with the keys that llama.cpp writes. */
#include "gguf.h"

#include "gguf_file.h"
#include "loader.h"
#include "tokenizer/from_gguf.h"

#include <stdlib.h>
#include <string.h>

/* --- settings: every key but the tokenizer's --- */

/* Longer lists say nothing of a model: they are kept empty. */
enum { LONGEST_LIST = 1 << 16 };

static SettingType setting_type(GGUFType type) {
    switch (type) {
    case GGUF_STRING:
        return SETTING_TEXT;
    case GGUF_BOOL:
        return SETTING_BOOL;
    case GGUF_F32:
    case GGUF_F64:
        return SETTING_NUMBER;
    default:
        return SETTING_INTEGER;
    }
}

static double read_number(Reader *values, GGUFType type) {
    if (type == GGUF_F64) {
        double number = 0;
        uint64_t bits = reader_u64(values);
        memcpy(&number, &bits, sizeof number);
        return number;
    }
    float number = 0;
    uint32_t bits = reader_u32(values);
    memcpy(&number, &bits, sizeof number);
    return (double)number;
}

static int64_t read_integer(Reader *values, GGUFType type) {
    switch (type) {
    case GGUF_U8:
        return reader_u8(values);
    case GGUF_I8:
        return (int8_t)reader_u8(values);
    case GGUF_U16:
        return reader_u16(values);
    case GGUF_I16:
        return (int16_t)reader_u16(values);
    case GGUF_U32:
        return reader_u32(values);
    case GGUF_I32:
        return (int32_t)reader_u32(values);
    default: {
        uint64_t integer = reader_u64(values);
        return type == GGUF_U64 && integer > INT64_MAX ? INT64_MAX : (int64_t)integer;
    }
    }
}

static bool read_value(Settings *settings, Setting *setting, size_t i, const GGUFEntry *entry,
                       Reader *values, LLMError *error) {
    if (setting->type == SETTING_TEXT) {
        Text text = reader_text(values);
        return settings_set_text(settings, i, text.data, text.size, error);
    }
    SettingValue *value = &setting->values[i];
    if (setting->type == SETTING_BOOL)
        value->truth = reader_u8(values) != 0;
    else if (setting->type == SETTING_NUMBER)
        value->number = read_number(values, entry->type);
    else
        value->integer = read_integer(values, entry->type);
    return true;
}

static bool read_settings(const GGUFFile *gguf, Settings *settings, LLMError *error) {
    static const char tokenizer[] = "tokenizer.";
    if (!settings_begin(settings, gguf->path, error)) return false;
    for (size_t e = 0; e < gguf->entry_count; e++) {
        const GGUFEntry *entry = &gguf->entries[e];
        Reader values = entry->values;
        size_t count = entry->count <= LONGEST_LIST ? (size_t)entry->count : 0;
        if (entry->key.size >= strlen(tokenizer) &&
            memcmp(entry->key.data, tokenizer, strlen(tokenizer)) == 0)
            continue;
        Setting *setting = settings_add(settings, entry->key.data, entry->key.size,
                                        setting_type(entry->type), entry->array, count, error);
        if (!setting) return false;
        for (size_t i = 0; i < count; i++)
            if (!read_value(settings, setting, i, entry, &values, error)) return false;
    }
    settings_sort(settings);
    return true;
}

static bool read_architecture(const GGUFFile *gguf, Checkpoint *checkpoint, LLMError *error) {
    Text architecture = {"", 0};
    uint32_t parts = 1;
    if (!gguf_get_text(gguf, "general.architecture", &architecture, error) ||
        !gguf_get_integer(gguf, "split.count", &parts, error))
        return false;
    if (parts > 1)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: this file is one of %u; join them with llama-gguf-split --merge",
                         gguf->path, parts);
    return checkpoint_set_architecture(checkpoint, architecture.data, architecture.size, error);
}

/* --- tokenizer --- */

/* A text ends with any of these. */
static bool read_ends(const GGUFFile *gguf, Checkpoint *checkpoint, LLMError *error) {
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        uint32_t id;
        if (!gguf_find(gguf, keys[i])) continue;
        if (!gguf_get_integer(gguf, keys[i], &id, error) ||
            !checkpoint_add_end(checkpoint, id, error))
            return false;
    }
    const GGUFEntry *more;
    if (!gguf_get_array(gguf, GGUF_END_TOKENS, GGUF_U32, &more, error)) return false;
    Reader ids = more ? more->values : (Reader){0};
    for (uint64_t i = 0; more && i < more->count; i++)
        if (!checkpoint_add_end(checkpoint, reader_u32(&ids), error)) return false;
    return true;
}

/* A copy of the text of the token that a key names; NULL where there is none. */
static bool read_token_text(const GGUFFile *gguf, const Tokenizer *tokenizer, const char *key,
                            char **text, LLMError *error) {
    uint32_t id = UINT32_MAX;
    size_t size;
    if (!gguf_get_integer(gguf, key, &id, error)) return false;
    const char *bytes = tokenizer ? tokenizer_bytes(tokenizer, id, &size) : NULL;
    if (!bytes) return true;
    *text = strndup(bytes, size);
    return *text || error_memory(error, size);
}

static bool read_chat(const GGUFFile *gguf, Checkpoint *checkpoint, LLMError *error) {
    Text source = {"", 0};
    if (!gguf_get_text(gguf, GGUF_CHAT_TEMPLATE, &source, error)) return false;
    if (source.size) checkpoint->chat_template = strndup(source.data, source.size);
    if (source.size && !checkpoint->chat_template) return error_memory(error, source.size);
    return read_token_text(gguf, checkpoint->tokenizer, "tokenizer.ggml.bos_token_id",
                           &checkpoint->bos_token, error) &&
           read_token_text(gguf, checkpoint->tokenizer, "tokenizer.ggml.eos_token_id",
                           &checkpoint->eos_token, error);
}

static bool read_tokenizer(const GGUFFile *gguf, Checkpoint *checkpoint, LLMError *error) {
    const GGUFEntry *tokens;
    LLMError problem = {0};
    if (!gguf_get_array(gguf, "tokenizer.ggml.tokens", GGUF_STRING, &tokens, error)) return false;
    if (tokens)
        checkpoint->token_count = tokens->count > UINT32_MAX ? UINT32_MAX : (uint32_t)tokens->count;
    Tokenizer *tokenizer = tokenizer_from_gguf(gguf, &problem);
    return checkpoint_set_tokenizer(checkpoint, tokenizer, &problem, error) &&
           read_ends(gguf, checkpoint, error) && read_chat(gguf, checkpoint, error);
}

/* --- the whole file --- */

static bool read_name(const GGUFFile *gguf, Checkpoint *checkpoint, LLMError *error) {
    Text name = {"", 0};
    if (!gguf_get_text(gguf, "general.name", &name, error)) return false;
    if (name.size == 0) return checkpoint_name_after(checkpoint, gguf->path, ".gguf", error);
    checkpoint->name = strndup(name.data, name.size);
    return checkpoint->name || error_memory(error, name.size);
}

/* The checkpoint takes the tensors over. */
static bool read_tensors(GGUFFile *gguf, Checkpoint *checkpoint, LLMError *error) {
    if (!gguf_read_tensors(gguf, error)) return false;
    checkpoint->tensors = gguf->tensors;
    gguf->tensors = (TensorIndex){0};
    return true;
}

static bool load(GGUFFile *gguf, Checkpoint *checkpoint, bool tensors, LLMError *error) {
    return read_architecture(gguf, checkpoint, error) && read_name(gguf, checkpoint, error) &&
           read_settings(gguf, &checkpoint->settings, error) &&
           (!tensors || read_tensors(gguf, checkpoint, error)) &&
           read_tokenizer(gguf, checkpoint, error);
}

bool gguf_load(Checkpoint *checkpoint, bool tensors, LLMError *error) {
    FileMap map;
    GGUFFile gguf;
    checkpoint->format = "GGUF";
    checkpoint->naming = GGUF_NAMES;
    if (!checkpoint_map(checkpoint, checkpoint->path, &map, error)) return false;
    bool loaded =
        gguf_open(&gguf, map, checkpoint->path, error) && load(&gguf, checkpoint, tensors, error);
    gguf_close(&gguf);
    return loaded;
}
