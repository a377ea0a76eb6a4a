/* tokenizer_texts.h — a tokenizer's tokens and merges as the texts that files store. */
#ifndef METAL_LLM_TOKENIZER_TEXTS_H
#define METAL_LLM_TOKENIZER_TEXTS_H

#include "tokenizer.h"

typedef struct TokenizerTexts {
    const char **tokens; /* [token_count], special ones literal, the others in GPT-2's printable
                            alphabet; NULL: the id is unused */
    bool *special;       /* [token_count] */
    uint32_t token_count;
    const char **merges; /* [merge_count], "left right", the highest priority first */
    uint32_t merge_count;
    char *text; /* what they point into */
} TokenizerTexts;

/* False and `error` on failure; release with tokenizer_texts_free in any case. */
bool tokenizer_texts(const Tokenizer *tokenizer, TokenizerTexts *texts, LLMError *error);
void tokenizer_texts_free(TokenizerTexts *texts);

#endif
