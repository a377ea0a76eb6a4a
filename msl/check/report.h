/* report.h — findings as text and as JSON. */
#ifndef METAL_LLM_MSL_CHECK_REPORT_H
#define METAL_LLM_MSL_CHECK_REPORT_H

#include "checker.h"
#include "coverage.h"

#include <stdio.h>

typedef struct Report {
    const char *kernel, *file; /* the kernel's name and its .metal file */
    unsigned seeds;            /* that were run */
    double compile_seconds, run_seconds;
    const Finding *findings;
    size_t count;
    const char *const *suppressed; /* rules, NULL-terminated; NULL: none */
    const Coverage *coverage;      /* NULL: not wanted */
} Report;

/* Both leave out what is suppressed, and what differs from a finding before only in its
 * instructions. They return how many errors and warnings they wrote. */
size_t report_text(const Report *report, FILE *out);
size_t report_json(const Report *report, FILE *out);

/* "race", "out-of-bounds", … */
const char *report_kind(FindingKind kind);

/* A line, in which a terminal finds no command, whatever a file's text or name has. */
void report_line(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* From now on failures go there, one line without its end: for a process that may not write. */
void report_failures_to(char *text, size_t size);
/* "metal-check: …" and a line end to stderr: why a kernel cannot be run. Always returns false. */
bool report_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
