/* row_text.h — what a row has brought and not yet handed out.
 *
 * The end of a text may begin a stop text, or a UTF-8 character without completing it: such bytes
 * wait until it is known what they are, and so do the tokens that they came with.
 */
#ifndef METAL_LLM_ROW_TEXT_H
#define METAL_LLM_ROW_TEXT_H

#include "error.h"

typedef struct WaitingToken {
    uint32_t id;
    size_t end; /* of its bytes, among those that wait */
    LLMLogprob logprobs[1 + LLM_LOGPROBS_MOST];
} WaitingToken;

/* Zero-initialise. */
typedef struct RowText {
    char *bytes; /* [count] that wait */
    size_t count, capacity;
    WaitingToken *tokens; /* [token_count] that wait */
    size_t token_count, token_capacity;
} RowText;

/* Take in a token and its bytes. */
bool row_text_add(RowText *text, const WaitingToken *token, const char *bytes, size_t size,
                  LLMError *error);
/* Bytes before the first stop text, *stopped being true, or else those that begin none. */
size_t row_text_settled(const RowText *text, const char *const *stops, size_t stop_count,
                        bool *stopped);
/* Forget the first token, or the first `size` bytes. */
void row_text_drop_token(RowText *text);
void row_text_drop_bytes(RowText *text, size_t size);
void row_text_free(RowText *text);

#endif
