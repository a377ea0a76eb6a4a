/* print.h — what the command prints of names, paths and texts that others wrote. */
#ifndef METAL_LLM_PRINT_H
#define METAL_LLM_PRINT_H

#include <stddef.h>
#include <stdio.h>

/* In one line: control characters become '?'. */
void print_name(FILE *file, const char *text);
void print_bytes(FILE *file, const char *bytes, size_t size);

/* "" for one of something, else "s". */
static inline const char *plural(size_t count) {
    return count == 1 ? "" : "s";
}

#endif
