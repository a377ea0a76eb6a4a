#include "error.h"

#include <stdarg.h>
#include <stdio.h>

bool error_set(LLMError *error, LLMStatus status, const char *format, ...) {
    if (!error || error->status != LLM_OK) return false;
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    for (char *c = error->message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?';
    return false;
}

void *error_memory(LLMError *error, size_t bytes) {
    error_set(error, LLM_ERROR_MEMORY,
              "out of memory: could not allocate %.1f MiB; use a smaller model, context or batch",
              (double)bytes / (1 << 20));
    return NULL;
}
