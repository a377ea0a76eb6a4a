/* special_tokens.h — tokens such as <|endoftext|>, recognised whole in a text, in time linear in
 * the text's size, whatever the tokens. */
#ifndef METAL_LLM_SPECIAL_TOKENS_H
#define METAL_LLM_SPECIAL_TOKENS_H

#include "tokenizer.h"

typedef struct SpecialToken {
    size_t text; /* where in SpecialTokens.text it begins */
    uint32_t size;
    uint32_t id;
    unsigned flags; /* SpecialFlags */
} SpecialToken;

/* A state of the search, which reads the text from its end to its start: what was read last is the
 * end of some token, as far as `depth` bytes go. The states of the next byte are neighbours. */
typedef struct SpecialState {
    uint32_t first, last; /* children: states[first … last − 1], ordered by byte */
    uint32_t fallback;    /* the state of the longest shorter end */
    uint32_t longest;     /* the longest token that begins here, UINT32_MAX if none */
    unsigned char byte;   /* that leads here */
} SpecialState;

/* Zero-initialise, add, finish, then search; release with special_tokens_free. */
typedef struct SpecialTokens {
    SpecialToken *items;
    uint32_t count, capacity;
    char *text;
    size_t text_size, text_capacity;
    SpecialState *states;
    uint32_t state_count;
} SpecialTokens;

/* A token at text[start … end), the white space that it takes along included. */
typedef struct SpecialMatch {
    size_t start, end;
    uint32_t id;
    unsigned flags;
} SpecialMatch;

/* The matches in a text, in order. Release with free(items). */
typedef struct SpecialMatches {
    SpecialMatch *items;
    size_t count, capacity;
} SpecialMatches;

bool special_tokens_add(SpecialTokens *tokens, uint32_t id, const char *text, size_t size,
                        unsigned flags, LLMError *error);
/* Two tokens with the same text are an error. */
bool special_tokens_finish(SpecialTokens *tokens, LLMError *error);
void special_tokens_free(SpecialTokens *tokens);

/* Find all tokens of a text: the leftmost first, the longest where several begin. */
bool special_tokens_find(const SpecialTokens *tokens, const char *text, size_t size,
                         SpecialMatches *matches, LLMError *error);

#endif
