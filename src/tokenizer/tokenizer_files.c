#include "tokenizer_files.h"

#include "checkpoint/file_map.h"
#include "hash.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNKNOWN_ID UINT32_MAX

static const char *const file_names[TOKENIZER_FILES] = {
    [TOKENIZER_JSON] = "tokenizer.json",
    [VOCAB_JSON] = "vocab.json",
    [MERGES_TXT] = "merges.txt",
    [ADDED_TOKENS_JSON] = "added_tokens.json",
    [SPECIAL_TOKENS_MAP_JSON] = "special_tokens_map.json",
    [TOKENIZER_CONFIG_JSON] = "tokenizer_config.json",
};

/* A token that Hugging Face adds to the byte-level vocabulary: recognised whole. */
typedef struct AddedToken {
    const char *content; /* in one of the JSON documents */
    uint32_t id;         /* UNKNOWN_ID: the vocabulary has it */
    unsigned flags;      /* SpecialFlags */
} AddedToken;

typedef struct FolderParser {
    const TokenizerFile *files;
    cJSON *json[TOKENIZER_FILES]; /* NULL where absent */
    uint32_t vocabulary;
    AddedToken *added; /* sorted by content */
    size_t added_count;
    const char *end_of_text; /* NULL: not said */
    Tokenizer *tokenizer;
    int reading;      /* which file: the one that a problem is in */
    LLMError problem; /* without the file's name */
} FolderParser;

static bool refuse(FolderParser *parser, const char *what) {
    return error_set(&parser->problem, LLM_ERROR_FORMAT, "%s", what);
}

static bool not_supported(FolderParser *parser, const char *what, const char *value) {
    return error_set(&parser->problem, LLM_ERROR_FORMAT,
                     "%s \"%.64s\" is not supported: only GPT-2's byte-level BPE is", what, value);
}

/* --- JSON --- */

static const cJSON *member(const cJSON *object, const char *name) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNull(item) ? NULL : item;
}

/* The "type" of a part of tokenizer.json, "" if it has none. */
static const char *type_of(const cJSON *part) {
    const char *type = cJSON_GetStringValue(member(part, "type"));
    return type ? type : "";
}

static bool read_flag(FolderParser *parser, const cJSON *object, const char *name, bool absent,
                      bool *value) {
    const cJSON *item = member(object, name);
    *value = item ? cJSON_IsTrue(item) : absent;
    if (!item || cJSON_IsBool(item)) return true;
    return error_set(&parser->problem, LLM_ERROR_FORMAT, "\"%s\" is neither true nor false", name);
}

/* Refuse an option that is set. */
static bool require_false(FolderParser *parser, const cJSON *object, const char *name) {
    bool value;
    if (!read_flag(parser, object, name, false, &value)) return false;
    return !value || not_supported(parser, name, "true");
}

/* UNKNOWN_ID and the parser's problem if it is none. */
static uint32_t read_id(FolderParser *parser, const cJSON *item, const char *token) {
    double number = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (number >= 0 && number < UNKNOWN_ID && number == (uint32_t)number) return (uint32_t)number;
    error_set(&parser->problem, LLM_ERROR_FORMAT, "the id of token \"%.64s\" is not a whole number",
              token);
    return UNKNOWN_ID;
}

static bool holds(const TokenizerFile *file, const char *bytes, size_t size) {
    return memmem(file->data, file->size, bytes, size) != NULL;
}

/* The document of one file as an object. cJSON ends strings at a NUL, so one inside is refused. */
static bool parse_json(FolderParser *parser, int which) {
    const TokenizerFile *file = &parser->files[which];
    if (!file->present) return true;
    parser->reading = which;
    if (file->size == 0) return refuse(parser, "the file is empty");
    if (holds(file, "", 1) || holds(file, "\\u0000", 6))
        return refuse(parser, "a NUL character in it: no tokenizer has one");
    const char *end = file->data;
    cJSON *json = cJSON_ParseWithLengthOpts(file->data, file->size, &end, false);
    parser->json[which] = json;
    while (json && end < file->data + file->size && strchr(" \t\r\n", *end))
        end++;
    if (!json || end != file->data + file->size)
        return error_set(&parser->problem, LLM_ERROR_FORMAT,
                         "not JSON from byte %zu on: the file is damaged or cut off",
                         (size_t)(end - file->data));
    return cJSON_IsObject(json) || refuse(parser, "not a JSON object");
}

/* --- added tokens --- */

/* Where in the sorted list the token is, or would go. */
static size_t added_position(const FolderParser *parser, const char *content, bool *found) {
    size_t low = 0, high = parser->added_count;
    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(parser->added[middle].content, content);
        *found = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return *found ? high : low;
}

static bool unify_id(FolderParser *parser, AddedToken *token, uint32_t id) {
    if (token->id == UNKNOWN_ID) token->id = id;
    if (id == UNKNOWN_ID || token->id == id) return true;
    return error_set(&parser->problem, LLM_ERROR_FORMAT, "token \"%.64s\" has two ids, %u and %u",
                     token->content, token->id, id);
}

/* A token that several files name keeps the flags of the first. */
static bool add_added(FolderParser *parser, const char *content, uint32_t id, unsigned flags) {
    if (*content == '\0') return true; /* Hugging Face drops these too */
    bool found;
    size_t position = added_position(parser, content, &found);
    if (found) return unify_id(parser, &parser->added[position], id);

    size_t bytes = (parser->added_count + 1) * sizeof *parser->added;
    AddedToken *added = realloc(parser->added, bytes);
    if (!added) return error_memory(&parser->problem, bytes);
    parser->added = added;
    memmove(added + position + 1, added + position,
            (parser->added_count++ - position) * sizeof *added);
    added[position] = (AddedToken){content, id, flags};
    return true;
}

/* A record {"content": …, "lstrip": …}. */
static bool add_record(FolderParser *parser, const cJSON *record, uint32_t id) {
    const char *content = cJSON_GetStringValue(member(record, "content"));
    bool strip_left, strip_right, normalized;
    if (!content) return refuse(parser, "an added token without \"content\"");
    if (!read_flag(parser, record, "lstrip", false, &strip_left) ||
        !read_flag(parser, record, "rstrip", false, &strip_right) ||
        !read_flag(parser, record, "normalized", false, &normalized) ||
        !require_false(parser, record, "single_word"))
        return false;
    return add_added(parser, content, id,
                     (strip_left ? SPECIAL_STRIP_LEFT : 0) |
                         (strip_right ? SPECIAL_STRIP_RIGHT : 0) |
                         (normalized ? SPECIAL_SECOND : 0));
}

/* tokenizer.json: "added_tokens": [{"id": …, "content": …}, …]. */
static bool add_added_tokens(FolderParser *parser, const cJSON *list) {
    if (list && !cJSON_IsArray(list)) return refuse(parser, "\"added_tokens\" is not a list");
    const cJSON *record;
    cJSON_ArrayForEach(record, list) {
        uint32_t id = read_id(parser, member(record, "id"), "added_tokens");
        if (id == UNKNOWN_ID || !add_record(parser, record, id)) return false;
    }
    return true;
}

/* tokenizer_config.json: "added_tokens_decoder": {"50256": {"content": …}, …}. */
static bool add_added_tokens_decoder(FolderParser *parser, const cJSON *records) {
    if (records && !cJSON_IsObject(records))
        return refuse(parser, "\"added_tokens_decoder\" is not an object");
    const cJSON *record;
    cJSON_ArrayForEach(record, records) {
        char *end;
        unsigned long id = strtoul(record->string, &end, 10);
        if (end == record->string || *end || id >= parser->vocabulary)
            return error_set(&parser->problem, LLM_ERROR_FORMAT,
                             "\"added_tokens_decoder\" has \"%.64s\" where an id below %u is due",
                             record->string, parser->vocabulary);
        if (!add_record(parser, record, (uint32_t)id)) return false;
    }
    return true;
}

/* added_tokens.json: {"<|pad|>": 50257, …}. */
static bool add_added_ids(FolderParser *parser, const cJSON *ids) {
    const cJSON *item;
    cJSON_ArrayForEach(item, ids) {
        uint32_t id = read_id(parser, item, item->string);
        if (id == UNKNOWN_ID || !add_added(parser, item->string, id, 0)) return false;
    }
    return true;
}

/* A special token by name: its text, or a record. NULL and the parser's problem if it is neither.
 */
static const char *add_named(FolderParser *parser, const cJSON *item) {
    const char *content = cJSON_GetStringValue(item);
    if (content) return add_added(parser, content, UNKNOWN_ID, 0) ? content : NULL;
    if (!cJSON_IsObject(item)) {
        refuse(parser, "a special token that is neither a text nor an object");
        return NULL;
    }
    return add_record(parser, item, UNKNOWN_ID) ? member(item, "content")->valuestring : NULL;
}

/* special_tokens_map.json and tokenizer_config.json: "eos_token" and its like. */
static bool add_named_tokens(FolderParser *parser, const cJSON *json) {
    static const char *const names[] = {"bos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};
    const cJSON *item = member(json, "eos_token");
    if (item && !(parser->end_of_text = add_named(parser, item))) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((item = member(json, names[i])) && !add_named(parser, item)) return false;
    const cJSON *list = member(json, "additional_special_tokens");
    if (list && !cJSON_IsArray(list))
        return refuse(parser, "\"additional_special_tokens\" is not a list");
    cJSON_ArrayForEach(item, list) if (!add_named(parser, item)) return false;
    return true;
}

static bool collect_added_tokens(FolderParser *parser) {
    const cJSON *config = parser->json[TOKENIZER_CONFIG_JSON];
    parser->reading = TOKENIZER_JSON;
    if (!add_added_tokens(parser, member(parser->json[TOKENIZER_JSON], "added_tokens")))
        return false;
    parser->reading = TOKENIZER_CONFIG_JSON;
    if (!add_added_tokens_decoder(parser, member(config, "added_tokens_decoder"))) return false;
    parser->reading = ADDED_TOKENS_JSON;
    if (!add_added_ids(parser, parser->json[ADDED_TOKENS_JSON])) return false;
    parser->reading = SPECIAL_TOKENS_MAP_JSON;
    if (!add_named_tokens(parser, parser->json[SPECIAL_TOKENS_MAP_JSON])) return false;
    parser->reading = TOKENIZER_CONFIG_JSON;
    return add_named_tokens(parser, config);
}

/* --- what else the files say: honoured or refused --- */

/* ByteLevel, or a Sequence of it alone. */
static bool check_pre_tokenizer(FolderParser *parser, const cJSON *part) {
    const cJSON *sequence = member(part, "pretokenizers");
    if (strcmp(type_of(part), "Sequence") == 0 && cJSON_GetArraySize(sequence) == 1)
        part = sequence->child;
    if (strcmp(type_of(part), "ByteLevel") != 0)
        return not_supported(parser, "pre_tokenizer", type_of(part));
    bool use_regex;
    if (!read_flag(parser, part, "use_regex", true, &use_regex)) return false;
    if (!use_regex) return not_supported(parser, "use_regex", "false");
    return require_false(parser, part, "add_prefix_space");
}

/* A template that is the text itself: {"single": [{"Sequence": {…}}]}. */
static bool is_plain_template(const cJSON *part) {
    const cJSON *single = member(part, "single");
    return strcmp(type_of(part), "TemplateProcessing") == 0 && cJSON_GetArraySize(single) == 1 &&
           member(single->child, "Sequence");
}

/* Only what adds no tokens. */
static bool check_post_processor(FolderParser *parser, const cJSON *part) {
    if (!part || strcmp(type_of(part), "ByteLevel") == 0 || is_plain_template(part)) return true;
    if (strcmp(type_of(part), "Sequence") != 0)
        return not_supported(parser, "post_processor", type_of(part));
    const cJSON *processor;
    cJSON_ArrayForEach(processor, member(part, "processors")) {
        if (!check_post_processor(parser, processor)) return false;
    }
    return true;
}

static bool require_empty(FolderParser *parser, const cJSON *object, const char *name) {
    const cJSON *item = member(object, name);
    const char *text = cJSON_GetStringValue(item);
    if (!item || (text && *text == '\0')) return true;
    return not_supported(parser, name, text ? text : "of another type than text");
}

/* "unk_token", "fuse_unk" and "byte_fallback" need no check: they say what becomes of a character
 * that the vocabulary lacks, and it has every byte. */
static bool check_model(FolderParser *parser, const cJSON *model) {
    const cJSON *dropout = member(model, "dropout");
    if (!cJSON_IsObject(model)) return refuse(parser, "no \"model\" in it");
    if (member(model, "type") && strcmp(type_of(model), "BPE") != 0)
        return not_supported(parser, "model", type_of(model));
    if (dropout && !(cJSON_IsNumber(dropout) && dropout->valuedouble == 0))
        return not_supported(parser, "dropout", "other than 0");
    return require_false(parser, model, "ignore_merges") &&
           require_empty(parser, model, "continuing_subword_prefix") &&
           require_empty(parser, model, "end_of_word_suffix");
}

/* "truncation" and "padding" are left-overs of a training run; transformers resets them too. */
static bool check_tokenizer_json(FolderParser *parser, const cJSON *json) {
    if (!json) return true;
    parser->reading = TOKENIZER_JSON;
    const cJSON *normalizer = member(json, "normalizer"), *decoder = member(json, "decoder");
    if (normalizer) return not_supported(parser, "normalizer", type_of(normalizer));
    if (decoder && strcmp(type_of(decoder), "ByteLevel") != 0)
        return not_supported(parser, "decoder", type_of(decoder));
    return check_pre_tokenizer(parser, member(json, "pre_tokenizer")) &&
           check_post_processor(parser, member(json, "post_processor")) &&
           check_model(parser, member(json, "model"));
}

/* Without tokenizer.json, it is the class that says what vocab.json and merges.txt mean. */
static bool check_config(FolderParser *parser, const cJSON *config) {
    if (!config) return true;
    parser->reading = TOKENIZER_CONFIG_JSON;
    const char *class = cJSON_GetStringValue(member(config, "tokenizer_class"));
    if (class && !parser->json[TOKENIZER_JSON] && strncmp(class, "GPT2Tokenizer", 13) != 0)
        return not_supported(parser, "tokenizer_class", class);
    return require_false(parser, config, "add_prefix_space") &&
           require_false(parser, config, "add_bos_token");
}

/* --- building --- */

/* Ordinary tokens only; those that were added get their id here, if only here they have one. */
static bool add_vocabulary(FolderParser *parser, const cJSON *vocabulary) {
    if (!cJSON_IsObject(vocabulary)) return refuse(parser, "\"vocab\" is not an object");
    const cJSON *item;
    cJSON_ArrayForEach(item, vocabulary) {
        uint32_t id = read_id(parser, item, item->string);
        if (id == UNKNOWN_ID) return false;
        bool added;
        size_t position = added_position(parser, item->string, &added);
        bool taken =
            added ? unify_id(parser, &parser->added[position], id)
                  : tokenizer_add_token(parser->tokenizer, id, item->string, strlen(item->string),
                                        TOKEN_PRINTABLE, &parser->problem);
        if (!taken) return false;
    }
    return true;
}

static bool add_specials(FolderParser *parser) {
    for (size_t i = 0; i < parser->added_count; i++) {
        const AddedToken *token = &parser->added[i];
        if (token->id == UNKNOWN_ID)
            return error_set(&parser->problem, LLM_ERROR_FORMAT,
                             "special token \"%.64s\" has no id: it is in no vocabulary",
                             token->content);
        if (!tokenizer_add_special(parser->tokenizer, token->id, token->content,
                                   strlen(token->content), token->flags, &parser->problem))
            return false;
    }
    return true;
}

static bool set_end_of_text(FolderParser *parser) {
    bool found;
    if (!parser->end_of_text || *parser->end_of_text == '\0') return true;
    size_t position = added_position(parser, parser->end_of_text, &found);
    return tokenizer_set_end_of_text(parser->tokenizer, parser->added[position].id,
                                     &parser->problem);
}

/* "merges" of tokenizer.json: "a b" or ["a", "b"]. */
static bool add_json_merges(FolderParser *parser, const cJSON *merges) {
    if (!cJSON_IsArray(merges)) return refuse(parser, "\"merges\" is not a list");
    const cJSON *merge;
    cJSON_ArrayForEach(merge, merges) {
        const char *text = cJSON_GetStringValue(merge);
        const char *left = NULL, *right = NULL;
        if (cJSON_IsArray(merge) && cJSON_GetArraySize(merge) == 2) {
            left = cJSON_GetStringValue(merge->child);
            right = cJSON_GetStringValue(merge->child->next);
        }
        if (!text && !(left && right))
            return refuse(parser,
                          "a merge that is neither \"left right\" nor [\"left\", \"right\"]");
        bool added =
            text ? tokenizer_add_merge(parser->tokenizer, text, strlen(text), &parser->problem)
                 : tokenizer_add_merge_pair(parser->tokenizer, left, strlen(left), right,
                                            strlen(right), &parser->problem);
        if (!added) return false;
    }
    return true;
}

static bool add_text_merges(FolderParser *parser, const TokenizerFile *file) {
    static const char version[] = "#version";
    const char *line = file->data, *end = file->size ? line + file->size : line;
    for (const char *next; line < end; line = next) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((newline ? newline : end) - line);
        next = newline ? newline + 1 : end;
        if (size > 0 && line[size - 1] == '\r') size--;
        bool is_version = line == file->data && size >= strlen(version) &&
                          memcmp(line, version, strlen(version)) == 0;
        if (size > 0 && !is_version &&
            !tokenizer_add_merge(parser->tokenizer, line, size, &parser->problem))
            return false;
    }
    return true;
}

static bool add_merges(FolderParser *parser, const cJSON *model) {
    if (!model) parser->reading = MERGES_TXT;
    bool added = model ? add_json_merges(parser, member(model, "merges"))
                       : add_text_merges(parser, &parser->files[MERGES_TXT]);
    return added && (tokenizer_encodes(parser->tokenizer) || refuse(parser, "no merges in it"));
}

static bool build(FolderParser *parser) {
    const cJSON *model = member(parser->json[TOKENIZER_JSON], "model");
    const cJSON *vocabulary = model ? member(model, "vocab") : parser->json[VOCAB_JSON];
    parser->reading = model ? TOKENIZER_JSON : VOCAB_JSON;
    if (!model && member(vocabulary, "<|endoftext|>") &&
        !add_added(parser, "<|endoftext|>", UNKNOWN_ID, 0))
        return false;
    parser->tokenizer = tokenizer_new(parser->vocabulary, &parser->problem);
    return parser->tokenizer && add_vocabulary(parser, vocabulary) && add_specials(parser) &&
           set_end_of_text(parser) && add_merges(parser, model) &&
           tokenizer_finish(parser->tokenizer, &parser->problem);
}

/* One more than the highest id that the vocabulary or tokenizer.json's added tokens have, those
 * aside that are far beyond the number of tokens: they are refused where they are added. */
static uint32_t count_ids(const FolderParser *parser) {
    const cJSON *json = parser->json[TOKENIZER_JSON], *record, *id;
    const cJSON *vocabulary =
        json ? member(member(json, "model"), "vocab") : parser->json[VOCAB_JSON];
    double next = 1, most = 65536.0 + cJSON_GetArraySize(vocabulary);
    cJSON_ArrayForEach(id, vocabulary) {
        if (id->valuedouble >= next && id->valuedouble < most) next = id->valuedouble + 1;
    }
    cJSON_ArrayForEach(record, member(json, "added_tokens")) {
        id = member(record, "id");
        if (id && id->valuedouble >= next && id->valuedouble < most) next = id->valuedouble + 1;
    }
    return (uint32_t)next;
}

static bool parse_folder(FolderParser *parser) {
    bool is_single_file = parser->files[TOKENIZER_JSON].present;
    parser->reading = parser->files[VOCAB_JSON].present ? MERGES_TXT : VOCAB_JSON;
    if (!is_single_file && !parser->files[parser->reading].present)
        return error_set(&parser->problem, LLM_ERROR_FILE,
                         "missing: a tokenizer is tokenizer.json, or vocab.json with merges.txt");
    for (int which = 0; which < TOKENIZER_FILES; which++) {
        bool is_json = which != MERGES_TXT && !(is_single_file && which == VOCAB_JSON);
        if (is_json && !parse_json(parser, which)) return false;
    }
    if (parser->vocabulary == 0) parser->vocabulary = count_ids(parser);
    return check_tokenizer_json(parser, parser->json[TOKENIZER_JSON]) &&
           check_config(parser, parser->json[TOKENIZER_CONFIG_JSON]) &&
           collect_added_tokens(parser) && build(parser);
}

/* Hand a problem on to the caller, with the place where it is. */
static void report(LLMError *error, const char *place, const char *separator,
                   const LLMError *problem) {
    error_set(error, problem->status, "%s%s%s", place, separator, problem->message);
}

Tokenizer *tokenizer_parse_folder(const TokenizerFile files[TOKENIZER_FILES], uint32_t vocabulary,
                                  LLMError *error) {
    FolderParser parser = {.files = files, .vocabulary = vocabulary};
    if (!parse_folder(&parser)) {
        report(error, file_names[parser.reading], ": ", &parser.problem);
        tokenizer_free(parser.tokenizer);
        parser.tokenizer = NULL;
    }
    for (int which = 0; which < TOKENIZER_FILES; which++)
        cJSON_Delete(parser.json[which]);
    free(parser.added);
    return parser.tokenizer;
}

static bool open_file(const char *folder, int which, FileMap *map, TokenizerFile *file,
                      LLMError *error) {
    size_t size = strlen(folder) + strlen(file_names[which]) + 2;
    char *path = malloc(size);
    if (!path) return error_memory(error, size);
    snprintf(path, size, "%s/%s", folder, file_names[which]);
    file->present = access(path, F_OK) == 0;
    bool opened = !file->present || file_map_open(map, path, error);
    *file = (TokenizerFile){file->present, (const char *)map->data, map->size};
    free(path);
    return opened;
}

Tokenizer *tokenizer_open_folder(const char *folder, uint32_t vocabulary, LLMError *error) {
    FileMap maps[TOKENIZER_FILES] = {{0}};
    TokenizerFile files[TOKENIZER_FILES] = {{0}};
    LLMError problem = {0};
    Tokenizer *tokenizer = NULL;
    bool opened = true;
    for (int which = 0; which < TOKENIZER_FILES && opened; which++)
        opened = open_file(folder, which, &maps[which], &files[which], error);
    if (opened && !(tokenizer = tokenizer_parse_folder(files, vocabulary, &problem)))
        report(error, folder, "/", &problem);
    for (int which = 0; which < TOKENIZER_FILES; which++)
        file_map_close(&maps[which]);
    return tokenizer;
}

/* --- llm.c --- */

/* 256 int32: magic, version, number of tokens, end-of-text token (from version 2 on), zeros. */
#define LLMC_HEADER_BYTES 1024
#define LLMC_MAGIC        20240328

#define GPT2_MERGES      50000
#define GPT2_END_OF_TEXT 50256
/* hash_bytes of what follows the header in the file for GPT-2's own vocabulary. */
#define GPT2_LLMC_HASH 0x13FFF39CF3C6E82C

static uint32_t read_u32(const unsigned char *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Per token one byte with its length, and its bytes. */
static bool read_llmc_tokens(Tokenizer *tokenizer, const unsigned char *data, size_t size,
                             uint32_t end_of_text, LLMError *error) {
    size_t at = 0;
    for (uint32_t id = 0; id < tokenizer_vocabulary(tokenizer); id++) {
        if (at == size || data[at] > size - at - 1)
            return error_set(error, LLM_ERROR_FORMAT, "the file is cut off in token %u of %u", id,
                             tokenizer_vocabulary(tokenizer));
        TokenText kind = id == end_of_text ? TOKEN_SPECIAL : TOKEN_BYTES;
        const char *token = (const char *)data + at + 1;
        if (!tokenizer_add_token(tokenizer, id, token, data[at], kind, error)) return false;
        at += 1 + (size_t)data[at];
    }
    if (at == size) return true;
    return error_set(error, LLM_ERROR_FORMAT, "%zu bytes too many after the last token", size - at);
}

static bool build_llmc(Tokenizer *tokenizer, const unsigned char *data, size_t size,
                       uint32_t end_of_text, LLMError *error) {
    if (!read_llmc_tokens(tokenizer, data, size, end_of_text, error)) return false;
    if (!tokenizer_set_end_of_text(tokenizer, end_of_text, error)) return false;
    bool is_gpt2 = end_of_text == GPT2_END_OF_TEXT && hash_bytes(data, size) == GPT2_LLMC_HASH;
    if (is_gpt2 && !tokenizer_derive_merges(tokenizer, GPT2_MERGES, error)) return false;
    return tokenizer_finish(tokenizer, error);
}

Tokenizer *tokenizer_parse_llmc(const void *data, size_t size, LLMError *error) {
    const unsigned char *header = data;
    if (size < LLMC_HEADER_BYTES || read_u32(header) != LLMC_MAGIC) {
        error_set(error, LLM_ERROR_FORMAT,
                  "not a tokenizer of llm.c: the header is cut off or has another magic number");
        return NULL;
    }
    uint32_t version = read_u32(header + 4), vocabulary = read_u32(header + 8);
    if (version != 1 && version != 2) {
        error_set(error, LLM_ERROR_FORMAT,
                  "version %u of llm.c's tokenizer file is not supported: only 1 and 2 are",
                  version);
        return NULL;
    }
    if (vocabulary > size - LLMC_HEADER_BYTES) {
        error_set(error, LLM_ERROR_FORMAT, "the file is too short for its %u tokens", vocabulary);
        return NULL;
    }
    /* Version 1 was written for GPT-2 alone and does not say. */
    uint32_t end_of_text = version == 2 ? read_u32(header + 12) : GPT2_END_OF_TEXT;
    Tokenizer *tokenizer = tokenizer_new(vocabulary, error);
    if (tokenizer && !build_llmc(tokenizer, header + LLMC_HEADER_BYTES, size - LLMC_HEADER_BYTES,
                                 end_of_text, error)) {
        tokenizer_free(tokenizer);
        return NULL;
    }
    return tokenizer;
}

Tokenizer *tokenizer_open_llmc(const char *path, LLMError *error) {
    FileMap map;
    LLMError problem = {0};
    if (!file_map_open(&map, path, error)) return NULL;
    Tokenizer *tokenizer = tokenizer_parse_llmc(map.data, map.size, &problem);
    if (!tokenizer) report(error, path, ": ", &problem);
    file_map_close(&map);
    return tokenizer;
}
