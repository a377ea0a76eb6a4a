/* error.h — set an LLMError with a formatted message. */
#ifndef METAL_LLM_ERROR_H
#define METAL_LLM_ERROR_H

#include "metal_llm.h"

#include <errno.h>

/* Record the first error; later ones are consequences and are dropped. Always returns false, so a
 * function can `return error_set(...)`. `error` may be NULL. Control characters in the message
 * (a hostile file's names) are replaced by '?', so that it stays one line; of one that is too long
 * the middle is left out. */
bool error_set(LLMError *error, LLMStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Replace control characters among `size` bytes, and bytes that are no UTF-8, by '?': on a terminal
 * they could clear the screen, or pretend to be another line. Those of `kept`, such as "\n\t",
 * stay. */
void make_printable(char *text, size_t size, const char *kept);

/* error_set for an allocation of `bytes` that failed. Returns NULL. */
void *error_memory(LLMError *error, size_t bytes);

/* What errno says went wrong with a file: LLM_ERROR_MEMORY if it was memory. */
static inline LLMStatus error_status(int reason) {
    return reason == ENOMEM ? LLM_ERROR_MEMORY : LLM_ERROR_FILE;
}

static inline bool error_is_set(const LLMError *error) {
    return error && error->status != LLM_OK;
}

#endif
