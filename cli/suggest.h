/* suggest.h — "did you mean …?" */
#ifndef METAL_LLM_SUGGEST_H
#define METAL_LLM_SUGGEST_H

#include <stddef.h>

/* The name that `text` is most likely a misspelling of, NULL if none is close. */
const char *suggest(const char *text, const char *const *names, size_t count);

#endif
