/* split.h — GPT-2's split of a text into the pieces that are encoded one by one. */
#ifndef METAL_LLM_SPLIT_H
#define METAL_LLM_SPLIT_H

#include "error.h"

typedef struct Split Split;

/* Gets the pieces in order; returns false to stop. */
typedef bool (*SplitPiece)(void *user, const char *piece, size_t size);

/* NULL and `error` on failure. Release with split_free. */
Split *split_new(LLMError *error);
void split_free(Split *split); /* NULL is fine */

/* Hand the pieces of `size` bytes of text to `on_piece`. Together they are the text, byte for byte:
 * a run of bytes that are not UTF-8 is a piece of its own, and what is before and after it is split
 * as two texts. Returns false if `on_piece` did, or with `error`. */
bool split_text(const Split *split, const char *text, size_t size, SplitPiece on_piece, void *user,
                LLMError *error);

#endif
