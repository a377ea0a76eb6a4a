/* tokenizer.h — GPT-2's byte-level byte-pair encoding: text to token ids and back.
 *
 * Any bytes in, the same bytes out. A tokenizer is built token by token and merge by merge from
 * whatever file holds it, then finished, and is immutable from then on: several threads may use it.
 */
#ifndef METAL_LLM_TOKENIZER_H
#define METAL_LLM_TOKENIZER_H

#include "error.h"

typedef struct Tokenizer Tokenizer;

typedef enum TokenText {
    TOKEN_PRINTABLE, /* text in GPT-2's printable alphabet ("Ġthe"), one letter per byte */
    TOKEN_BYTES,     /* text is the raw bytes of the token */
    TOKEN_SPECIAL,   /* text is literal UTF-8 that is recognised whole, before anything is split */
} TokenText;

/* How a special token is recognised, as Hugging Face's "added tokens" say it. */
typedef enum SpecialFlags {
    SPECIAL_STRIP_LEFT = 1,  /* takes the white space before it along */
    SPECIAL_STRIP_RIGHT = 2, /* takes the white space after it along */
    SPECIAL_SECOND = 4,      /* sought only in what the tokens without this flag leave over */
} SpecialFlags;

/* --- building --- */

/* A tokenizer for ids 0 … vocabulary − 1, to be released with tokenizer_free. NULL and `error` on
 * failure. */
Tokenizer *tokenizer_new(uint32_t vocabulary, LLMError *error);
/* Say what token `id` stands for. Adding an id twice, or one outside the vocabulary, is an error,
 * and so are two ordinary or two special tokens with the same text; an empty text stands for
 * nothing. */
bool tokenizer_add_token(Tokenizer *tokenizer, uint32_t id, const char *text, size_t size,
                         TokenText kind, LLMError *error);
/* tokenizer_add_token for a special token with SpecialFlags. */
bool tokenizer_add_special(Tokenizer *tokenizer, uint32_t id, const char *text, size_t size,
                           unsigned flags, LLMError *error);
/* Add the next merge, "left right" in the printable alphabet; the first added has the highest
 * priority. The tokens come first: left, right and the two joined must be among them. */
bool tokenizer_add_merge(Tokenizer *tokenizer, const char *merge, size_t size, LLMError *error);
/* The same with the two parts apart. */
bool tokenizer_add_merge_pair(Tokenizer *tokenizer, const char *left, size_t left_size,
                              const char *right, size_t right_size, LLMError *error);
/* Find the `count` merges of a vocabulary in which merge r makes token 256 + r: the two tokens that
 * the merges before it leave of that token's bytes. */
bool tokenizer_derive_merges(Tokenizer *tokenizer, uint32_t count, LLMError *error);
/* Name the token that ends a text; without this call it is "<|endoftext|>", if that is special. */
bool tokenizer_set_end_of_text(Tokenizer *tokenizer, uint32_t id, LLMError *error);
/* Name the token that encoding puts first; without this call there is none. */
bool tokenizer_set_begin_of_text(Tokenizer *tokenizer, uint32_t id, LLMError *error);
/* Check that the parts fit together (all 256 bytes are tokens) and prepare encoding. A tokenizer
 * without merges decodes only: tokenizer_encodes says which. */
bool tokenizer_finish(Tokenizer *tokenizer, LLMError *error);
void tokenizer_free(Tokenizer *tokenizer); /* NULL is fine */

/* --- from files: each returns a finished tokenizer, or NULL and `error` --- */

/* A Hugging Face folder: tokenizer.json, or vocab.json with merges.txt (and added_tokens.json,
 * special_tokens_map.json, tokenizer_config.json where present). A vocabulary of 0 is as many ids as
 * the files have. */
Tokenizer *tokenizer_open_folder(const char *folder, uint32_t vocabulary, LLMError *error);
/* llm.c's gpt2_tokenizer.bin. It encodes too when it is GPT-2's own vocabulary. */
Tokenizer *tokenizer_open_llmc(const char *path, LLMError *error);

/* --- using --- */

bool tokenizer_encodes(const Tokenizer *tokenizer);
uint32_t tokenizer_vocabulary(const Tokenizer *tokenizer);
/* The id of the token that ends a text, UINT32_MAX if there is none. */
uint32_t tokenizer_end_of_text(const Tokenizer *tokenizer);
/* The id that encoding puts first, UINT32_MAX if there is none. */
uint32_t tokenizer_begin_of_text(const Tokenizer *tokenizer);
/* Append the ids of `size` bytes of text to `tokens`; `flags` are LLMEncodeFlags. On failure
 * `tokens` is as it was. */
bool tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t size, uint32_t flags,
                      LLMTokens *tokens, LLMError *error);
/* The bytes of one token, owned by the tokenizer; NULL for an id that stands for nothing. */
const char *tokenizer_bytes(const Tokenizer *tokenizer, uint32_t id, size_t *size);

/* --- taking it apart, to write it to a file --- */

/* Whether `id` is a special token. */
bool tokenizer_is_special(const Tokenizer *tokenizer, uint32_t id);
uint32_t tokenizer_merge_count(const Tokenizer *tokenizer);
/* pairs[tokenizer_merge_count]: the two ids that each merge joins, the highest priority first. */
void tokenizer_merges(const Tokenizer *tokenizer, uint32_t (*pairs)[2]);

#endif
