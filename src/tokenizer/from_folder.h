/* from_folder.h — the files that hold a tokenizer, read from memory. */
#ifndef METAL_LLM_FROM_FOLDER_H
#define METAL_LLM_FROM_FOLDER_H

#include "tokenizer.h"

/* The files of a Hugging Face folder that say something about its tokenizer. */
enum {
    TOKENIZER_JSON,          /* everything, in one file */
    VOCAB_JSON,              /* token → id; with merges.txt where there is no tokenizer.json */
    MERGES_TXT,              /* one merge a line */
    ADDED_TOKENS_JSON,       /* further token → id */
    SPECIAL_TOKENS_MAP_JSON, /* which tokens begin, end, pad … a text */
    TOKENIZER_CONFIG_JSON,   /* the same, and options */
    TOKENIZER_FILES
};

typedef struct TokenizerFile {
    bool present; /* an absent file is not an empty one */
    const char *data;
    size_t size;
} TokenizerFile;

/* tokenizer_open_folder and tokenizer_open_llmc of files in memory, which may go afterwards.
 * Messages begin with the name of the file in the folder. */
Tokenizer *tokenizer_parse_folder(const TokenizerFile files[TOKENIZER_FILES], uint32_t vocabulary,
                                  LLMError *error);
Tokenizer *tokenizer_parse_llmc(const void *data, size_t size, LLMError *error);

#endif
