/* to_gguf.h — a tokenizer as GGUF files store it. */
#ifndef METAL_LLM_TO_GGUF_H
#define METAL_LLM_TO_GGUF_H

#include "tokenizer.h"

typedef struct GGUFTokenizer {
    const char *model;   /* tokenizer.ggml.model: "gpt2" or "llama" */
    const char *pre;     /* tokenizer.ggml.pre; NULL: none */
    const char **tokens; /* [token_count], as their kinds store them; NULL: the id is unused */
    uint32_t *types;     /* [token_count], numbers of GGUF */
    uint32_t token_count;
    float *scores;       /* [token_count], NULL where there are merges */
    const char **merges; /* [merge_count], "left right", the highest priority first */
    uint32_t merge_count;
    uint32_t *added; /* [added_count]: GGUF_ADDED_TOKENS */
    uint32_t added_count;
    bool adds_begin, adds_end, adds_space; /* before, after each text */
    const char *prefix;                    /* GGUF_PREFIX_SPACE; NULL: as llama.cpp does */
    uint32_t unknown;                      /* UINT32_MAX: none */
    char *text;                            /* what tokens and merges point into */
} GGUFTokenizer;

/* False and `error` on failure, for instance if GGUF has no name for the tokenizer's rules; release
 * with gguf_tokenizer_free in any case. */
bool tokenizer_to_gguf(const Tokenizer *tokenizer, GGUFTokenizer *gguf, LLMError *error);
void gguf_tokenizer_free(GGUFTokenizer *gguf);

#endif
