/* prefill.h — texts into the KV cache, in pieces that the buffers have room for. */
#ifndef METAL_LLM_PREFILL_H
#define METAL_LLM_PREFILL_H

#include "model/pipeline.h"

/* Rows first … first + rows − 1, side by side. What all of them begin with, if it fills a page, is
 * computed once: several answers to one prompt, or to one beginning. */
typedef struct Prefill {
    /* What is asked for. */
    LLMPipeline *llm;
    const LLMTokens *texts; /* [rows] */
    uint32_t first, rows;
    size_t known;  /* tokens of each row that are in the cache */
    size_t more;   /* the last piece gets room for so many tokens after it */
    bool all;      /* all tokens' rows are made, not only the last ones' */
    uint32_t most; /* tokens of a piece, 0: as many as there is room for */
    /* Where it is. */
    size_t alike;    /* tokens that the first row computes for all, 0: none any more */
    uint32_t T;      /* tokens of a piece */
    size_t left;     /* pieces, of this part */
    uint32_t last;   /* tokens of the first row in the last piece that has run */
    size_t computed; /* tokens of all rows */
    uint32_t *ids;   /* [rows,T], and after them [rows] each: counts, lengths, ends */
} Prefill;

/* Tokens that all rows begin with; each has at least one after them. */
size_t prefill_alike(const LLMTokens *texts, uint32_t rows);
/* False and `error` on failure, after which prefill_free is still due. */
bool prefill_begin(Prefill *prefill, LLMError *error);
/* Queue the pass of the next piece; after the last, `prefill_done`, the logits of all rows' last
 * tokens are made. The device's lengths and counts stay as the step kernels expect them:
 * advance_step adds the one to the other. */
bool prefill_piece(Prefill *prefill, LLMError *error);
void prefill_free(Prefill *prefill);

static inline bool prefill_done(const Prefill *prefill) {
    return prefill->left == 0 && prefill->alike == 0;
}

static inline uint32_t prefill_at_most(size_t tokens, uint32_t most) {
    return tokens < most ? (uint32_t)tokens : most;
}

#endif
