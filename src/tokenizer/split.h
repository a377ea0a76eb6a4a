/* split.h — the split of a text into the pieces that are encoded one by one. */
#ifndef METAL_LLM_SPLIT_H
#define METAL_LLM_SPLIT_H

#include "error.h"

/* What becomes of the places that a pattern matches, as tokenizer.json names it. */
typedef enum SplitBehaviour {
    SPLIT_ISOLATED,             /* a piece of their own */
    SPLIT_REMOVED,              /* no piece */
    SPLIT_MERGED_WITH_PREVIOUS, /* the end of the piece before */
    SPLIT_MERGED_WITH_NEXT,     /* the start of the piece after */
    SPLIT_CONTIGUOUS,           /* a piece with those that touch them */
} SplitBehaviour;

enum { SPLIT_MOST_STEPS = 8 };

/* One step, which splits the pieces of the step before. */
typedef struct SplitStep {
    const char *pattern; /* one of split_patterns.h, or, where literal, any text */
    bool literal;
    SplitBehaviour behaviour;
    bool invert; /* what lies between the matches counts as match, and they do not */
} SplitStep;

typedef struct Split Split;

/* Gets the pieces in order; returns false to stop. */
typedef bool (*SplitPiece)(void *user, const char *piece, size_t size);

/* `count` steps, SPLIT_MOST_STEPS at most; none leaves texts whole. NULL and `error` on failure.
 * Release with split_free. */
Split *split_new(const SplitStep *steps, uint32_t count, LLMError *error);
void split_free(Split *split); /* NULL is fine */
/* Whether texts stay whole. */
bool split_is_whole(const Split *split);

/* Hand the pieces of `size` bytes of text to `on_piece`. But for what is removed, together they are
 * the text, byte for byte: a run of bytes that are not UTF-8 is a piece of its own, and what is
 * before and after it is split as two texts. Returns false if `on_piece` did, or with `error`. */
bool split_text(const Split *split, const char *text, size_t size, SplitPiece on_piece, void *user,
                LLMError *error);

#endif
