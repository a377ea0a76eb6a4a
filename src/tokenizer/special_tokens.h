/* special_tokens.h — tokens such as <|endoftext|>, recognised whole in a text. */
#ifndef METAL_LLM_SPECIAL_TOKENS_H
#define METAL_LLM_SPECIAL_TOKENS_H

#include "tokenizer.h"

typedef struct SpecialToken {
    char *text; /* [size], owned */
    size_t size;
    uint32_t id;
    unsigned flags; /* SpecialFlags */
} SpecialToken;

/* Zero-initialise, add, sort, then search; release with special_tokens_free. */
typedef struct SpecialTokens {
    SpecialToken *items;
    size_t count;
} SpecialTokens;

/* A token at text[start … end), the white space that it takes along included. */
typedef struct SpecialMatch {
    size_t start, end;
    uint32_t id;
} SpecialMatch;

bool special_tokens_add(SpecialTokens *tokens, uint32_t id, const char *text, size_t size,
                        unsigned flags, LLMError *error);
/* Two tokens with the same text are an error. */
bool special_tokens_sort(SpecialTokens *tokens, LLMError *error);
void special_tokens_free(SpecialTokens *tokens);

/* Find the next token from text[from] on, the longest where several begin; false if there is none.
 */
bool special_tokens_next(const SpecialTokens *tokens, const char *text, size_t size, size_t from,
                         SpecialMatch *match);

#endif
