/* input.h — what the command reads: bytes and token ids. */
#ifndef METAL_LLM_INPUT_H
#define METAL_LLM_INPUT_H

#include "error.h"

typedef struct Bytes {
    char *data; /* to be freed */
    size_t size;
} Bytes;

/* The whole of a file, or of standard input if `path` is "-". Empty, and `error` set, on failure.
 */
Bytes read_bytes(const char *path, LLMError *error);
Bytes copy_bytes(const char *text, LLMError *error);
/* Whether something is sent to standard input: a pipe or a file, not a terminal or /dev/null. */
bool stdin_is_piped(void);
/* Token ids, separated by white space. The caller frees them with llm_tokens_free. */
LLMTokens parse_ids(const char *text, size_t size, LLMError *error);

#endif
