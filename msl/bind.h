/* bind.h — reads the signatures of Metal kernels, and writes what other targets need to call them.
 *
 * The binder is the twin of Metal's own reflection. It reads `kernel void name(…)` and the
 * [[attributes]] of the parameters, nothing else of the language; what it cannot read it refuses,
 * naming file and line.
 */
#ifndef METAL_LLM_BIND_H
#define METAL_LLM_BIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "kernel.h"

enum { BIND_PARAMETERS = 32 };

typedef enum BoundKind {
    BOUND_BUFFER,      /* device T *, device const T *, constant T * [[buffer(n)]] */
    BOUND_CONSTANT,    /* constant T & [[buffer(n)]] */
    BOUND_THREADGROUP, /* threadgroup T * [[threadgroup(n)]] */
    BOUND_BUILTIN,     /* uint3 id [[thread_position_in_grid]] */
} BoundKind;

typedef struct BoundParameter {
    BoundKind kind;
    bool writable;       /* a device pointer without const */
    char name[64];
    char type[64];       /* of the element or value, without qualifiers */
    char attribute[64];  /* "buffer", "threadgroup", "thread_position_in_grid", … */
    unsigned index;      /* of buffer(n), threadgroup(n) */
    size_t star;         /* offset in the text just behind the '*', 0 if there is none */
    size_t begin, end;   /* of [[attribute]] in the text */
} BoundParameter;

typedef struct BoundKernel {
    char name[64];
    int line;
    unsigned count;
    BoundParameter parameter[BIND_PARAMETERS]; /* in the order of the signature */
} BoundKernel;

/* A threadgroup variable declared in a function body: text[begin, end) is the declaration with its
 * semicolon. */
typedef struct BoundVariable {
    size_t begin, end;
    char type[64], name[64], dimensions[64];
} BoundVariable;

typedef struct BoundFile {
    const char *path; /* as given; kept by the caller, like the text */
    const char *text;
    size_t size;
    BoundKernel *kernels;
    size_t kernel_count;
    BoundVariable *variables;
    size_t variable_count;
    char error[256]; /* "file:line: what is wrong", empty if all was read */
} BoundFile;

/* Read a file's text. False, with file->error set, for what the binder does not take. */
bool bind_read(BoundFile *file, const char *path, const char *text, size_t size);
void bind_free(BoundFile *file);

/* The file as C++ for one target: threadgroup variables as MSL_THREADGROUP(type, name, dimensions),
 * MSL_RESTRICT in the buffers' types, the kernels' [[attributes]] left out, and behind the text one
 * MSL_ENTRY(kernel, (arguments)) per kernel, and MSL_END. */
void bind_write_source(const BoundFile *file, FILE *out);
/* C: kernel_table[] and kernel_sources[] (see kernel.h) of all files. */
void bind_write_table(const BoundFile *files, size_t count, FILE *out);
/* C: PREFIX_entries[], the entry points of one target in the order of kernel_table[]. */
void bind_write_entries(const BoundFile *files, size_t count, const char *prefix, FILE *out);

#endif
