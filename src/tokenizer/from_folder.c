/* A Hugging Face folder's tokenizer: tokenizer.json, or vocab.json with merges.txt. */
#include "folder_parser.h"
#include "pre_tokenizers.h"

#include "checkpoint/file_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Twice the largest tokenizer.json of today, Gemma 3's. A value takes up to 150 bytes of memory. */
enum { MOST_BYTES = 64 << 20, MOST_VALUES = 4 << 20 };

static const char *const file_names[TOKENIZER_FILES] = {
    [TOKENIZER_JSON] = "tokenizer.json",
    [VOCAB_JSON] = "vocab.json",
    [MERGES_TXT] = "merges.txt",
    [ADDED_TOKENS_JSON] = "added_tokens.json",
    [SPECIAL_TOKENS_MAP_JSON] = "special_tokens_map.json",
    [TOKENIZER_CONFIG_JSON] = "tokenizer_config.json",
};

bool parser_refuse(FolderParser *parser, const char *what) {
    return error_set(&parser->problem, LLM_ERROR_FORMAT, "%s", what);
}

bool parser_not_supported(FolderParser *parser, const char *what, const char *value) {
    return error_set(&parser->problem, LLM_ERROR_FORMAT, "%s \"%.200s\" is not supported", what,
                     value);
}

/* --- JSON --- */

const cJSON *member(const cJSON *object, const char *name) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNull(item) ? NULL : item;
}

const char *text_of(const cJSON *object, const char *name) {
    const char *text = cJSON_GetStringValue(member(object, name));
    return text ? text : "";
}

const char *type_of(const cJSON *part) {
    return text_of(part, "type");
}

bool read_flag(FolderParser *parser, const cJSON *object, const char *name, bool absent,
               bool *value) {
    const cJSON *item = member(object, name);
    *value = item ? cJSON_IsTrue(item) : absent;
    if (!item || cJSON_IsBool(item)) return true;
    return error_set(&parser->problem, LLM_ERROR_FORMAT, "\"%s\" is neither true nor false", name);
}

bool require_false(FolderParser *parser, const cJSON *object, const char *name) {
    bool value;
    if (!read_flag(parser, object, name, false, &value)) return false;
    return !value || parser_not_supported(parser, name, "true");
}

uint32_t read_id(FolderParser *parser, const cJSON *item, const char *token) {
    double number = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (number >= 0 && number < UNKNOWN_ID && number == (uint32_t)number) return (uint32_t)number;
    error_set(&parser->problem, LLM_ERROR_FORMAT, "the id of token \"%.64s\" is not a whole number",
              token);
    return UNKNOWN_ID;
}

static bool holds(const TokenizerFile *file, const char *bytes, size_t size) {
    return memmem(file->data, file->size, bytes, size) != NULL;
}

/* At most so many values are in a JSON text: each but the first follows one of these. */
static size_t value_count(const TokenizerFile *file) {
    size_t count = 1;
    for (size_t i = 0; i < file->size; i++) {
        char c = file->data[i];
        count += c == ',' || c == '[' || c == '{';
    }
    return count;
}

/* cJSON ends strings at a NUL, so one inside is refused. */
static bool check_file(FolderParser *parser, const TokenizerFile *file) {
    if (file->size == 0) return parser_refuse(parser, "the file is empty");
    if (file->size > MOST_BYTES)
        return error_set(&parser->problem, LLM_ERROR_FORMAT,
                         "%zu bytes, where no tokenizer has more than %d: the file is damaged",
                         file->size, MOST_BYTES);
    if (value_count(file) > MOST_VALUES)
        return error_set(&parser->problem, LLM_ERROR_FORMAT,
                         "more than %d values, which no tokenizer has: the file is damaged",
                         MOST_VALUES);
    if (holds(file, "", 1) || holds(file, "\\u0000", 6))
        return parser_refuse(parser, "a NUL character in it: no tokenizer has one");
    return true;
}

/* The document of one file as an object. */
static bool parse_json(FolderParser *parser, int which) {
    const TokenizerFile *file = &parser->files[which];
    if (!file->present) return true;
    parser->reading = which;
    if (!check_file(parser, file)) return false;
    const char *end = file->data;
    errno = 0; /* the only sign by which cJSON tells that memory was out */
    cJSON *json = cJSON_ParseWithLengthOpts(file->data, file->size, &end, false);
    if (!json && errno == ENOMEM) return error_memory(&parser->problem, file->size);
    parser->json[which] = json;
    while (json && end < file->data + file->size && strchr(" \t\r\n", *end))
        end++;
    if (!json || end != file->data + file->size)
        return error_set(&parser->problem, LLM_ERROR_FORMAT,
                         "not JSON from byte %zu on: the file is damaged or cut off",
                         (size_t)(end - file->data));
    return cJSON_IsObject(json) || parser_refuse(parser, "not a JSON object");
}

/* --- rules --- */

/* Without tokenizer.json, it is the class that says what vocab.json and merges.txt mean. */
static bool read_class(FolderParser *parser, const cJSON *config) {
    const char *class = text_of(config, "tokenizer_class");
    bool adds_begin;
    parser->rules = tokenizer_default_rules();
    if (strncmp(class, "Qwen2Tokenizer", 14) == 0)
        return pre_tokenizer_rules("qwen2", 5, &parser->rules, &adds_begin);
    return *class == '\0' || strncmp(class, "GPT2Tokenizer", 13) == 0 ||
           parser_not_supported(parser, "tokenizer_class", class);
}

static bool read_rules(FolderParser *parser) {
    const cJSON *json = parser->json[TOKENIZER_JSON], *config = parser->json[TOKENIZER_CONFIG_JSON];
    if (json && !read_tokenizer_json(parser, json)) return false;
    parser->reading = TOKENIZER_CONFIG_JSON;
    if (!json && !read_class(parser, config)) return false;
    /* SentencePiece's prefix is tokenizer.json's own affair. */
    return parser->rules.characters || require_false(parser, config, "add_prefix_space");
}

static bool read_addition(FolderParser *parser, const char *option, const char *text, uint32_t *ids,
                          uint32_t *count) {
    bool adds;
    if (!read_flag(parser, parser->json[TOKENIZER_CONFIG_JSON], option, false, &adds)) return false;
    if (!adds) return true;
    const AddedToken *token = text ? find_added(parser, text) : NULL;
    if (!token) return parser_not_supported(parser, option, "true without such a token");
    ids[0] = token->id;
    *count = 1;
    return true;
}

/* "add_bos_token" and "add_eos_token" count where there is no tokenizer.json, whose post-processor
 * decides alone, as in transformers. GPT-2's class has tokens for them by itself. */
static bool read_additions(FolderParser *parser) {
    static const char gpt2[] = "<|endoftext|>";
    const char *class = text_of(parser->json[TOKENIZER_CONFIG_JSON], "tokenizer_class");
    const char *begin = parser->begin_of_text, *end = parser->end_of_text;
    TokenizerRules *rules = &parser->rules;
    if (parser->json[TOKENIZER_JSON]) return true;
    if (!begin && strncmp(class, "Qwen2", 5) != 0) begin = gpt2;
    parser->reading = TOKENIZER_CONFIG_JSON;
    return read_addition(parser, "add_bos_token", begin, rules->begin, &rules->begin_count) &&
           read_addition(parser, "add_eos_token", end ? end : gpt2, rules->end, &rules->end_count);
}

/* --- building --- */

/* "<0x0A>", where the model says that such tokens are bytes. */
static TokenText kind_of(const FolderParser *parser, const char *text) {
    if (!parser->rules.characters) return TOKEN_PRINTABLE;
    bool byte = parser->rules.byte_tokens && strlen(text) == 6 && strncmp(text, "<0x", 3) == 0 &&
                strspn(text + 3, "0123456789ABCDEFabcdef") == 2 && text[5] == '>';
    return byte ? TOKEN_BYTE : TOKEN_PIECE;
}

/* Ordinary tokens only; those that were added get their id here, if only here they have one. */
static bool add_vocabulary(FolderParser *parser, const cJSON *vocabulary) {
    if (!cJSON_IsObject(vocabulary)) return parser_refuse(parser, "\"vocab\" is not an object");
    const cJSON *item;
    cJSON_ArrayForEach(item, vocabulary) {
        const char *text = item->string;
        uint32_t id = read_id(parser, item, text);
        if (id == UNKNOWN_ID) return false;
        AddedToken *added = find_added(parser, text);
        bool taken = added ? unify_id(parser, added, id)
                           : tokenizer_add_token(parser->tokenizer, id, text, strlen(text),
                                                 kind_of(parser, text), &parser->problem);
        if (!taken) return false;
    }
    return true;
}

static bool add_specials(FolderParser *parser) {
    uint32_t size = parser->vocabulary;
    for (size_t i = 0; i < parser->added_count; i++) {
        const AddedToken *token = &parser->added[i];
        if (token->id == UNKNOWN_ID)
            return error_set(&parser->problem, LLM_ERROR_FORMAT,
                             "special token \"%.64s\" has no id: it is in no vocabulary",
                             token->content);
        if (token->id >= size) size = token->id + 1;
    }
    if (!tokenizer_extend(parser->tokenizer, size, &parser->problem)) return false;
    for (size_t i = 0; i < parser->added_count; i++) {
        const AddedToken *token = &parser->added[i];
        if (!tokenizer_add_special(parser->tokenizer, token->id, token->content,
                                   strlen(token->content), token->flags, &parser->problem))
            return false;
    }
    return true;
}

static bool set_end_of_text(FolderParser *parser) {
    if (!parser->end_of_text || *parser->end_of_text == '\0') return true;
    return tokenizer_set_end_of_text(parser->tokenizer, find_added(parser, parser->end_of_text)->id,
                                     &parser->problem);
}

/* "merges" of tokenizer.json: "a b" or ["a", "b"]. */
static bool add_json_merges(FolderParser *parser, const cJSON *merges) {
    if (!cJSON_IsArray(merges)) return parser_refuse(parser, "\"merges\" is not a list");
    const cJSON *merge;
    cJSON_ArrayForEach(merge, merges) {
        const char *text = cJSON_GetStringValue(merge);
        const char *left = NULL, *right = NULL;
        if (cJSON_IsArray(merge) && cJSON_GetArraySize(merge) == 2) {
            left = cJSON_GetStringValue(merge->child);
            right = cJSON_GetStringValue(merge->child->next);
        }
        if (!text && !(left && right))
            return parser_refuse(
                parser, "a merge that is neither \"left right\" nor [\"left\", \"right\"]");
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
    parser->reading = model ? TOKENIZER_JSON : MERGES_TXT;
    bool added = model ? add_json_merges(parser, member(model, "merges"))
                       : add_text_merges(parser, &parser->files[MERGES_TXT]);
    return added &&
           (tokenizer_encodes(parser->tokenizer) || parser_refuse(parser, "no merges in it"));
}

static bool finish(FolderParser *parser, const cJSON *model) {
    parser->reading = model ? TOKENIZER_JSON : VOCAB_JSON;
    if (!read_unknown_token(parser, model)) return false;
    if (!read_additions(parser)) return false;
    parser->reading = model ? TOKENIZER_JSON : VOCAB_JSON;
    tokenizer_set_rules(parser->tokenizer, &parser->rules);
    return tokenizer_finish(parser->tokenizer, &parser->problem);
}

static bool build(FolderParser *parser) {
    const cJSON *model = member(parser->json[TOKENIZER_JSON], "model");
    const cJSON *vocabulary = model ? member(model, "vocab") : parser->json[VOCAB_JSON];
    parser->reading = model ? TOKENIZER_JSON : VOCAB_JSON;
    parser->tokenizer = tokenizer_new(parser->vocabulary, &parser->problem);
    if (!parser->tokenizer) return false;
    tokenizer_set_rules(parser->tokenizer, &parser->rules);
    return add_vocabulary(parser, vocabulary) && add_specials(parser) && set_end_of_text(parser) &&
           add_merges(parser, model) && finish(parser, model);
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
    return read_rules(parser) && collect_added_tokens(parser) && build(parser);
}

/* --- files --- */

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
    file->present = file_is_listed(path);
    bool opened = !file->present || file_map_read(map, path, MOST_BYTES, error);
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
