/* shift.h — of a text that is longer than the context, what the model sees.
 *
 * The first tokens stay, and of the others what came last. Half a context is left out at a time, so
 * that this is due again only after as many tokens; and how much it is depends on the text's length
 * alone, so that a later turn finds what an earlier one has computed.
 */
#ifndef METAL_LLM_SHIFT_H
#define METAL_LLM_SHIFT_H

#include "error.h"

/* Tokens of a text of `count` that are left out, so that there is room for another one; 0 if there
 * is without that, or if the context has but one token. */
size_t shift_left_out(size_t count, uint32_t context);
/* So many of the first tokens stay, of `wanted`. */
size_t shift_kept(size_t wanted, uint32_t context);
/* The text but for `left_out` tokens after its first `kept`, appended to `seen`. */
bool shift_append(LLMTokens *seen, const LLMTokens *text, size_t kept, size_t left_out,
                  LLMError *error);

#endif
