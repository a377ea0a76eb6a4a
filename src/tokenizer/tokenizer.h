/* tokenizer.h — text to token ids and back: byte-level BPE (GPT-2, Llama 3, Qwen) and SentencePiece
 * (Llama 2, Mistral, Gemma).
 *
 * Any bytes in, the same bytes out, as far as the tokenizer's rules change nothing (normalisation
 * form C, white space that a special token takes along). A tokenizer is built token by token and
 * merge by merge from whatever file holds it, then finished, and is immutable from then on: several
 * threads may use it.
 *
 * A text is encoded in five steps: special tokens are cut out (special_tokens.h), what is between
 * them is normalised (normalize.h), split into pieces (split.h), each piece becomes tokens (bpe.h),
 * and the tokens that begin and end a text are added.
 */
#ifndef METAL_LLM_TOKENIZER_H
#define METAL_LLM_TOKENIZER_H

#include "normalize.h"
#include "split.h"

typedef struct Tokenizer Tokenizer;

typedef enum TokenText {
    TOKEN_PRINTABLE, /* text in GPT-2's printable alphabet ("Ġthe"), one letter per byte */
    TOKEN_BYTES,     /* text is the raw bytes of the token */
    TOKEN_PIECE,     /* text is UTF-8 in which U+2581 stands for a space ("▁the") */
    TOKEN_BYTE,      /* text names one byte ("<0x0A>") */
    TOKEN_SPECIAL,   /* text is literal UTF-8 that is recognised whole, before anything is split */
} TokenText;

/* How a special token is recognised, as Hugging Face's "added tokens" say it. The first three are
 * kept in GGUF files under these numbers. */
typedef enum SpecialFlags {
    SPECIAL_STRIP_LEFT = 1,  /* takes the white space before it along */
    SPECIAL_STRIP_RIGHT = 2, /* takes the white space after it along */
    SPECIAL_SECOND = 4, /* sought only in what the tokens without this flag leave over, after it
                           was normalised ("normalized") */
    SPECIAL_TEXT = 8,   /* no control token: recognised in plain text too */
} SpecialFlags;

enum { MOST_FRAMING_TOKENS = 8 };

/* What a tokenizer does beside its vocabulary. */
typedef struct TokenizerRules {
    Normalizer normalizer;
    Normalizer metaspace; /* done after special tokens of the second round are cut out */
    bool prefix_first;    /* metaspace.prefix only where the text begins */
    SplitStep steps[SPLIT_MOST_STEPS];
    uint32_t step_count;
    bool characters;   /* BPE starts from characters, else from bytes */
    bool byte_tokens;  /* a character without token is the TOKEN_BYTEs of its bytes */
    bool whole_first;  /* a piece that is a token needs no merges */
    uint32_t unknown;  /* the token for what has no other, UINT32_MAX: an error */
    bool fuse_unknown; /* one for several in a row */
    uint32_t begin[MOST_FRAMING_TOKENS], end[MOST_FRAMING_TOKENS]; /* put round each text */
    uint32_t begin_count, end_count;
} TokenizerRules;

/* --- building --- */

/* A tokenizer for ids 0 … vocabulary − 1, to be released with tokenizer_free; its rules are
 * GPT-2's. NULL and `error` on failure. */
Tokenizer *tokenizer_new(uint32_t vocabulary, LLMError *error);
/* Before the merges, and again before tokenizer_finish if what comes between says more. */
void tokenizer_set_rules(Tokenizer *tokenizer, const TokenizerRules *rules);
/* GPT-2's. */
TokenizerRules tokenizer_default_rules(void);
/* Say what token `id` stands for. Adding an id twice, or one outside the vocabulary, is an error,
 * and so are two ordinary or two special tokens with the same text; an empty text stands for
 * nothing. */
bool tokenizer_add_token(Tokenizer *tokenizer, uint32_t id, const char *text, size_t size,
                         TokenText kind, LLMError *error);
/* Make it ids 0 … size − 1 if that is more: a tokenizer may know special tokens that its model has
 * not, 65,536 at most. */
bool tokenizer_extend(Tokenizer *tokenizer, uint32_t size, LLMError *error);
/* tokenizer_add_token for a special token with SpecialFlags. */
bool tokenizer_add_special(Tokenizer *tokenizer, uint32_t id, const char *text, size_t size,
                           unsigned flags, LLMError *error);
/* SentencePiece's scores[vocabulary], in place of merges: pairs join whose text is the token with
 * the highest score. */
bool tokenizer_set_scores(Tokenizer *tokenizer, const float *scores, LLMError *error);
/* Add the next merge, "left right" in the alphabet of the tokens' texts; the first added has the
 * highest priority. The tokens come first: left, right and the two joined must be among them. */
bool tokenizer_add_merge(Tokenizer *tokenizer, const char *merge, size_t size, LLMError *error);
/* The same with the two parts apart. */
bool tokenizer_add_merge_pair(Tokenizer *tokenizer, const char *left, size_t left_size,
                              const char *right, size_t right_size, LLMError *error);
/* Find the `count` merges of a vocabulary in which merge r makes token 256 + r: the two tokens that
 * the merges before it leave of that token's bytes. */
bool tokenizer_derive_merges(Tokenizer *tokenizer, uint32_t count, LLMError *error);
/* Name the token that ends a text; without this call it is "<|endoftext|>", if that is special. */
bool tokenizer_set_end_of_text(Tokenizer *tokenizer, uint32_t id, LLMError *error);
/* Check that the parts fit together and prepare encoding. A tokenizer without merges and scores
 * decodes only: tokenizer_encodes says which. */
bool tokenizer_finish(Tokenizer *tokenizer, LLMError *error);
void tokenizer_free(Tokenizer *tokenizer); /* NULL is fine */

/* --- from files: each returns a finished tokenizer, or NULL and `error` --- */

/* A Hugging Face folder: tokenizer.json, or vocab.json with merges.txt (and added_tokens.json,
 * special_tokens_map.json, tokenizer_config.json where present). A vocabulary of 0 is as many ids
 * as the files have. */
Tokenizer *tokenizer_open_folder(const char *folder, uint32_t vocabulary, LLMError *error);
/* llm.c's gpt2_tokenizer.bin. It encodes too when it is GPT-2's own vocabulary. */
Tokenizer *tokenizer_open_llmc(const char *path, LLMError *error);

/* --- using --- */

bool tokenizer_encodes(const Tokenizer *tokenizer);
/* The id of a text, UINT32_MAX if no token has it. */
uint32_t tokenizer_find(const Tokenizer *tokenizer, const char *text, size_t size);
/* "byte-level BPE", "SentencePiece" */
const char *tokenizer_kind(const Tokenizer *tokenizer);
uint32_t tokenizer_vocabulary(const Tokenizer *tokenizer);
/* The id of the token that ends a text, UINT32_MAX if there is none. */
uint32_t tokenizer_end_of_text(const Tokenizer *tokenizer);
/* The id that encoding puts first, UINT32_MAX if there is none. */
uint32_t tokenizer_begin_of_text(const Tokenizer *tokenizer);
/* Append the ids of `size` bytes of text to `tokens`; `flags` are LLMEncodeFlags, LLM_NO_BEGIN
 * leaving out the tokens that end a text, too. A byte without token is LLM_ERROR_ARGUMENT, which
 * names it. On failure `tokens` is as it was. */
bool tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t size, uint32_t flags,
                      LLMTokens *tokens, LLMError *error);
/* A part of a text that was put together from several. */
typedef struct TextPart {
    size_t start, size;
    bool plain; /* in it no control token is recognised, whatever is beside it */
} TextPart;
/* The same, without tokens round it, of text[from … size) whose parts lie side by side and cover
 * all of it: no special token is recognised that is not within one part. What is before `from` is
 * encoded already. */
bool tokenizer_encode_parts(const Tokenizer *tokenizer, const char *text, size_t from,
                            const TextPart *parts, size_t count, LLMTokens *tokens,
                            LLMError *error);
/* The bytes of one token, owned by the tokenizer; none for an id without text, NULL for an id
 * outside the vocabulary. */
const char *tokenizer_bytes(const Tokenizer *tokenizer, uint32_t id, size_t *size);
/* The text that these ids encode, *size bytes and a NUL, to be released with free: without what
 * tokenizer_encode put round it and the space that it put before it. Ids without text, or outside
 * the vocabulary, add nothing. NULL and `error` if memory is out. */
char *tokenizer_decode(const Tokenizer *tokenizer, const uint32_t *ids, size_t count, size_t *size,
                       LLMError *error);

/* --- taking it apart, to write it to a file --- */

/* What a GGUF file calls the tokenizer's rules (tokenizer.ggml.pre), NULL if it has no name for
 * them. */
const char *tokenizer_pre(const Tokenizer *tokenizer);
/* Whether texts are split into pieces at all. */
bool tokenizer_splits(const Tokenizer *tokenizer);
/* The rules; their steps are no longer there. */
const TokenizerRules *tokenizer_rules(const Tokenizer *tokenizer);
/* Whether `id` has a text, which may be empty. */
bool tokenizer_has(const Tokenizer *tokenizer, uint32_t id);
TokenText tokenizer_token_kind(const Tokenizer *tokenizer, uint32_t id);
/* Text as stored: of a TOKEN_PRINTABLE its bytes. */
const char *tokenizer_text(const Tokenizer *tokenizer, uint32_t id, size_t *size);
/* SpecialFlags by id, flags[tokenizer_vocabulary]; 0 for those that are not special. */
void tokenizer_special_flags(const Tokenizer *tokenizer, unsigned *flags);
/* NULL: the tokenizer has merges. */
const float *tokenizer_scores(const Tokenizer *tokenizer);
uint32_t tokenizer_merge_count(const Tokenizer *tokenizer);
/* The token that two others join to, UINT32_MAX if they do not. */
uint32_t tokenizer_merge_result(const Tokenizer *tokenizer, uint32_t left, uint32_t right);
/* Whether any two tokens whose texts together are a token's join to it. */
bool tokenizer_merges_are_whole(const Tokenizer *tokenizer);
/* pairs[tokenizer_merge_count]: the two ids that each merge joins, the highest priority first. */
void tokenizer_merges(const Tokenizer *tokenizer, uint32_t (*pairs)[2]);

#endif
