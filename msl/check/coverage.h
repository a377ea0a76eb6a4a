/* coverage.h — which lines of a kernel no thread has reached. */
#ifndef METAL_LLM_MSL_CHECK_COVERAGE_H
#define METAL_LLM_MSL_CHECK_COVERAGE_H

#include "symbols.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { COVERAGE_BLOCKS = 1 << 16 };

/* A stretch of code without a branch, and whether it has run. */
typedef struct CodeBlock {
    uint32_t code; /* its offset in the library */
    bool reached;
} CodeBlock;

/* In isolated_memory(). */
typedef struct CodeBlocks {
    size_t count;
    CodeBlock block[COVERAGE_BLOCKS];
} CodeBlocks;

/* In the kernel's process, once it has run: what of the library at this address was reached. */
void coverage_take(CodeBlocks *blocks, const char *library);

/* A line with code, once each, in order of files and lines. */
typedef struct CoveredLine {
    const char *file;
    int line;
    bool reached;
} CoveredLine;

typedef struct Coverage {
    CoveredLine *line;
    size_t count, capacity;
} Coverage;

/* `file`: what a place without one is in; what the binder adds stands after the last line. To be
 * freed with coverage_free. */
Coverage coverage_of(CodeBlocks *blocks, const Symbols *symbols, const char *file, int last_line);
void coverage_free(Coverage *coverage);

/* "FILE: 30 of 32 lines reached; no thread reached lines 12, 20-21", one for each file. */
void coverage_text(const Coverage *coverage, FILE *out);
cJSON *coverage_json(const Coverage *coverage);
/* A tracefile of lcov. */
void coverage_lcov(const Coverage *coverage, FILE *out);

#endif
