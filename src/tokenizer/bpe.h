/* bpe.h — byte-pair encoding of one piece of text: GPT-2's, which starts from bytes, and
 * SentencePiece's, which starts from characters. */
#ifndef METAL_LLM_BPE_H
#define METAL_LLM_BPE_H

#include "merges.h"

/* Which pair of neighbours joins first. */
typedef enum BPEOrder {
    BPE_BY_MERGE, /* the one that a list of merges names first */
    BPE_BY_SCORE, /* the one whose joined text is the token with the highest score */
} BPEOrder;

/* Zero-initialise, fill the vocabulary and the fields below, then bpe_finish; release with
 * bpe_free. */
typedef struct BPE {
    Vocabulary vocabulary;
    Merges merges;     /* BPE_BY_MERGE */
    float *scores;     /* [vocabulary.size], BPE_BY_SCORE; else NULL */
    bool characters;   /* start from characters; else from bytes */
    bool byte_tokens;  /* a character without token is the tokens of its bytes */
    bool whole_first;  /* a piece that is a token needs no merges ("ignore_merges") */
    uint32_t unknown;  /* the token for what has no other; NO_TOKEN: that is an error */
    bool fuse_unknown; /* one for several in a row */

    /* set by bpe_finish */
    uint32_t id_of_byte[256];
    uint32_t *ranks;       /* [vocabulary.size]: the order of scores, BPE_BY_SCORE */
    bool before_mark[256]; /* bytes that a SPACE_MARK follows inside some token */
} BPE;

/* A token of the piece so far, in a doubly linked list. */
typedef struct Symbol {
    uint32_t id;    /* NO_TOKEN: text without a token */
    uint32_t start; /* in the piece; it ends where the next one starts */
    uint32_t previous, next;
} Symbol;

/* What encoding works with. Zero-initialise; release with bpe_work_free. */
typedef struct BPEWork {
    Symbol *symbols; /* [capacity] */
    uint64_t *heap;  /* [2 capacity]: rank << 32 | symbol, the smallest first */
    size_t heap_count, capacity;
    bool after_unknown;
} BPEWork;

BPEOrder bpe_order(const BPE *bpe);
bool bpe_finish(BPE *bpe, LLMError *error);
void bpe_free(BPE *bpe);
void bpe_work_free(BPEWork *work);

/* Merge a piece as far as it goes; the tokens are the list that begins at work->symbols[0]. */
bool bpe_merge(const BPE *bpe, BPEWork *work, const char *piece, size_t size, LLMError *error);
/* Append the ids of a piece. */
bool bpe_encode(const BPE *bpe, BPEWork *work, const char *piece, size_t size, LLMTokens *tokens,
                LLMError *error);

#endif
