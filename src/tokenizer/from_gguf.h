/* from_gguf.h — the tokenizer that a GGUF file's metadata holds. */
#ifndef METAL_LLM_FROM_GGUF_H
#define METAL_LLM_FROM_GGUF_H

#include "tokenizer.h"

struct GGUFFile;

/* A key of our own, for what GGUF has no place for: an array of u32, for each special token that
 * takes white space along or is sought in the second round its id and its SpecialFlags. */
#define GGUF_ADDED_TOKENS "tokenizer.metal_llm.added_tokens"

/* Another: where SentencePiece's prefix space is due. "missing": unless the text begins with a
 * space; "first": also, and only where it begins, not after special tokens. */
#define GGUF_PREFIX_SPACE "tokenizer.metal_llm.prefix_space"

/* NULL where the file brings none, and NULL and `error` on failure. */
Tokenizer *tokenizer_from_gguf(const struct GGUFFile *gguf, LLMError *error);

#endif
