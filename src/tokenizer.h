/* tokenizer.h — GPT-2's byte-level byte-pair encoding: text to token ids and back.
 *
 * Any bytes in, the same bytes out. A tokenizer is built token by token and merge by merge from
 * whatever file holds it, then finished, and is immutable from then on.
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

/* --- building --- */

/* A tokenizer for ids 0 … vocabulary − 1. NULL and `error` on failure. Release with tokenizer_free. */
Tokenizer *tokenizer_new(uint32_t vocabulary, LLMError *error);
/* Say what token `id` stands for. Adding an id twice, or one outside the vocabulary, is an error. */
bool tokenizer_add_token(Tokenizer *tokenizer, uint32_t id, const char *text, size_t size,
                         TokenText kind, LLMError *error);
/* Add the next merge, "left right" in the printable alphabet; the first added has the highest
 * priority. */
bool tokenizer_add_merge(Tokenizer *tokenizer, const char *merge, size_t size, LLMError *error);
/* Check that the parts fit together (all 256 bytes present, each merge's parts and result are
 * tokens) and prepare encoding. A tokenizer without merges decodes only: `encodes` says which. */
bool tokenizer_finish(Tokenizer *tokenizer, LLMError *error);
void tokenizer_free(Tokenizer *tokenizer);

/* --- from files: each returns a finished tokenizer, or NULL and `error` --- */

/* A Hugging Face folder: tokenizer.json, or vocab.json with merges.txt (and added_tokens.json,
 * special_tokens_map.json where present). */
Tokenizer *tokenizer_open_folder(const char *folder, uint32_t vocabulary, LLMError *error);
/* llm.c's gpt2_tokenizer.bin. It encodes too when it is GPT-2's own vocabulary. */
Tokenizer *tokenizer_open_llmc(const char *path, LLMError *error);

/* --- using --- */

bool tokenizer_encodes(const Tokenizer *tokenizer);
uint32_t tokenizer_vocabulary(const Tokenizer *tokenizer);
/* The id of the end-of-text token ("<|endoftext|>"), UINT32_MAX if there is none. */
uint32_t tokenizer_end_of_text(const Tokenizer *tokenizer);
/* Append the ids of `size` bytes of text to `tokens`. Special tokens in the text are recognised. */
bool tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t size, LLMTokens *tokens,
                      LLMError *error);
/* The bytes of one token, owned by the tokenizer; NULL for an id outside the vocabulary or unused. */
const char *tokenizer_bytes(const Tokenizer *tokenizer, uint32_t id, size_t *size);

#endif
