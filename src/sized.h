/* sized.h — structures of the interface that begin with their size. */
#ifndef METAL_LLM_SIZED_H
#define METAL_LLM_SIZED_H

#include "error.h"

/* Copy a caller's structure `given` into `out` of `size` bytes; both begin with their own size.
 * Where the caller was compiled with another version of the header, fields that it lacks become
 * zero, and those that we lack must be zero. `name` ("LLMOptions") and `initialisers` are for the
 * messages. */
bool sized_copy(void *out, size_t size, const void *given, const char *name,
                const char *initialisers, LLMError *error);

#endif
