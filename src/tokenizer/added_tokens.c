/* Special tokens of a Hugging Face folder: five places may name them. */
#include "folder_parser.h"

#include <stdlib.h>
#include <string.h>

/* --- the list --- */

static bool add_added(FolderParser *parser, const char *content, uint32_t id, unsigned flags) {
    if (*content == '\0') return true; /* Hugging Face drops these too */
    if (parser->added_count == parser->added_capacity) {
        size_t capacity = 2 * parser->added_count + 16;
        AddedToken *added = realloc(parser->added, capacity * sizeof *added);
        if (!added) return error_memory(&parser->problem, capacity * sizeof *added);
        parser->added = added;
        parser->added_capacity = capacity;
    }
    parser->added[parser->added_count++] = (AddedToken){content, id, flags};
    return true;
}

bool unify_id(FolderParser *parser, AddedToken *token, uint32_t id) {
    if (token->id == UNKNOWN_ID) token->id = id;
    if (id == UNKNOWN_ID || token->id == id) return true;
    return error_set(&parser->problem, LLM_ERROR_FORMAT, "token \"%.64s\" has two ids, %u and %u",
                     token->content, token->id, id);
}

/* A token to be sorted: of several with one text the first of the files comes first. */
typedef struct Sortable {
    AddedToken token;
    size_t order;
} Sortable;

static int compare(const void *a, const void *b) {
    const Sortable *x = a, *y = b;
    int order = strcmp(x->token.content, y->token.content);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Sort the list; a token that several files name keeps the flags of the first. */
static bool sort_added(FolderParser *parser) {
    size_t bytes = (parser->added_count + 1) * sizeof(Sortable), count = 0;
    Sortable *sortable = malloc(bytes);
    if (!sortable) return error_memory(&parser->problem, bytes);
    for (size_t i = 0; i < parser->added_count; i++)
        sortable[i] = (Sortable){parser->added[i], i};
    qsort(sortable, parser->added_count, sizeof *sortable, compare);
    bool sorted = true;
    for (size_t i = 0; i < parser->added_count && sorted; i++) {
        AddedToken *last = count > 0 ? &parser->added[count - 1] : NULL;
        if (last && strcmp(last->content, sortable[i].token.content) == 0)
            sorted = unify_id(parser, last, sortable[i].token.id);
        else
            parser->added[count++] = sortable[i].token;
    }
    parser->added_count = count;
    free(sortable);
    return sorted;
}

static int compare_content(const void *content, const void *token) {
    return strcmp(content, ((const AddedToken *)token)->content);
}

AddedToken *find_added(const FolderParser *parser, const char *content) {
    if (parser->added_count == 0) return NULL;
    return bsearch(content, parser->added, parser->added_count, sizeof *parser->added,
                   compare_content);
}

/* --- the files --- */

/* A record {"content": …, "lstrip": …}. */
static bool add_record(FolderParser *parser, const cJSON *record, uint32_t id) {
    const char *content = cJSON_GetStringValue(member(record, "content"));
    bool strip_left, strip_right, normalized, special;
    if (!content) return parser_refuse(parser, "an added token without \"content\"");
    if (!read_flag(parser, record, "lstrip", false, &strip_left) ||
        !read_flag(parser, record, "rstrip", false, &strip_right) ||
        !read_flag(parser, record, "normalized", false, &normalized) ||
        !read_flag(parser, record, "special", true, &special) ||
        !require_false(parser, record, "single_word"))
        return false;
    return add_added(parser, content, id,
                     (strip_left ? SPECIAL_STRIP_LEFT : 0) |
                         (strip_right ? SPECIAL_STRIP_RIGHT : 0) |
                         (normalized ? SPECIAL_SECOND : 0) | (special ? 0 : SPECIAL_TEXT));
}

/* tokenizer.json: "added_tokens": [{"id": …, "content": …}, …]. */
static bool add_added_tokens(FolderParser *parser, const cJSON *list) {
    if (list && !cJSON_IsArray(list))
        return parser_refuse(parser, "\"added_tokens\" is not a list");
    const cJSON *record;
    cJSON_ArrayForEach(record, list) {
        uint32_t id = read_id(parser, member(record, "id"), text_of(record, "content"));
        if (id == UNKNOWN_ID || !add_record(parser, record, id)) return false;
    }
    return true;
}

/* tokenizer_config.json: "added_tokens_decoder": {"50256": {"content": …}, …}. */
static bool add_added_tokens_decoder(FolderParser *parser, const cJSON *records) {
    if (records && !cJSON_IsObject(records))
        return parser_refuse(parser, "\"added_tokens_decoder\" is not an object");
    const cJSON *record;
    cJSON_ArrayForEach(record, records) {
        char *end;
        unsigned long id = strtoul(record->string, &end, 10);
        if (end == record->string || *end || id >= UNKNOWN_ID)
            return error_set(&parser->problem, LLM_ERROR_FORMAT,
                             "\"added_tokens_decoder\" has \"%.64s\" where an id is due",
                             record->string);
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
        parser_refuse(parser, "a special token that is neither a text nor an object");
        return NULL;
    }
    return add_record(parser, item, UNKNOWN_ID) ? text_of(item, "content") : NULL;
}

/* special_tokens_map.json and tokenizer_config.json: "eos_token" and its like. */
static bool add_named_tokens(FolderParser *parser, const cJSON *json) {
    static const char *const names[] = {"unk_token", "sep_token", "pad_token", "cls_token",
                                        "mask_token"};
    const cJSON *item = member(json, "eos_token");
    if (item && !(parser->end_of_text = add_named(parser, item))) return false;
    item = member(json, "bos_token");
    if (item && !(parser->begin_of_text = add_named(parser, item))) return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((item = member(json, names[i])) && !add_named(parser, item)) return false;
    const cJSON *list = member(json, "additional_special_tokens");
    if (list && !cJSON_IsArray(list))
        return parser_refuse(parser, "\"additional_special_tokens\" is not a list");
    cJSON_ArrayForEach(item, list) if (!add_named(parser, item)) return false;
    return true;
}

/* Without tokenizer.json, GPT-2's token is special even where nothing says so. */
static bool add_default(FolderParser *parser) {
    static const char text[] = "<|endoftext|>";
    return parser->json[TOKENIZER_JSON] || !member(parser->json[VOCAB_JSON], text) ||
           add_added(parser, text, UNKNOWN_ID, 0);
}

bool collect_added_tokens(FolderParser *parser) {
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
    return add_named_tokens(parser, config) && add_default(parser) && sort_added(parser);
}
