/* folder_parser.h — what the readers of a Hugging Face folder's files share. */
#ifndef METAL_LLM_FOLDER_PARSER_H
#define METAL_LLM_FOLDER_PARSER_H

#include "from_folder.h"

#include <cjson/cJSON.h>

#define UNKNOWN_ID UINT32_MAX

/* A token that Hugging Face adds to the vocabulary: recognised whole. */
typedef struct AddedToken {
    const char *content; /* in one of the JSON documents */
    uint32_t id;         /* UNKNOWN_ID: the vocabulary has it */
    unsigned flags;      /* SpecialFlags */
} AddedToken;

typedef struct FolderParser {
    const TokenizerFile *files;
    cJSON *json[TOKENIZER_FILES]; /* NULL where absent */
    uint32_t vocabulary;
    AddedToken *added; /* in the order of the files, then sorted by content, each once */
    size_t added_count, added_capacity;
    const char *begin_of_text, *end_of_text; /* NULL: not said */
    TokenizerRules rules;
    Tokenizer *tokenizer;
    int reading;      /* which file: the one that a problem is in */
    LLMError problem; /* without the file's name */
} FolderParser;

/* --- problems: each sets parser->problem and returns false --- */

bool parser_refuse(FolderParser *parser, const char *what);
bool parser_not_supported(FolderParser *parser, const char *what, const char *value);

/* --- JSON --- */

/* NULL where absent or null. */
const cJSON *member(const cJSON *object, const char *name);
/* The "type" of a part of tokenizer.json, "" if it has none. */
const char *type_of(const cJSON *part);
/* A member's text, "" if it is none. */
const char *text_of(const cJSON *object, const char *name);
bool read_flag(FolderParser *parser, const cJSON *object, const char *name, bool absent,
               bool *value);
/* Refuse an option that is set. */
bool require_false(FolderParser *parser, const cJSON *object, const char *name);
/* UNKNOWN_ID and the parser's problem if it is none. */
uint32_t read_id(FolderParser *parser, const cJSON *item, const char *token);

/* --- added_tokens.c: what the files say about special tokens --- */

/* Gather them all. */
bool collect_added_tokens(FolderParser *parser);
/* The token with this text, NULL if there is none. */
AddedToken *find_added(const FolderParser *parser, const char *content);
/* An id of a token that may have one already, which must be the same. */
bool unify_id(FolderParser *parser, AddedToken *token, uint32_t id);

/* --- from_tokenizer_json.c: how that file has texts normalised, split and framed --- */

bool read_tokenizer_json(FolderParser *parser, const cJSON *json);
/* What needs the ids of tokens, which are all there by now. */
bool read_unknown_token(FolderParser *parser, const cJSON *model);

#endif
