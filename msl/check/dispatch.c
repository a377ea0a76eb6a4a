#include "dispatch.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SCRATCH_UNIT = 16 }; /* [[threadgroup(n)]] has a multiple of so many bytes */

__attribute__((format(printf, 4, 5))) static void
report(Findings *findings, const Program *program, Severity severity, const char *format, ...) {
    Place place = {program->file.path, program->kernel->line};
    Finding *finding = findings_add(findings, FINDING_DISPATCH, &(Witness){.place = place});
    if (!finding) return;
    finding->severity = severity;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->detail, sizeof finding->detail, format, arguments);
    va_end(arguments);
}

/* Counting threadgroups, as CUDA does, is a common slip. */
static void check_grid(Findings *findings, const Options *options, const Program *program) {
    const SimtSize *grid = &options->grid, *threads = &options->threads;
    if (grid->x >= threads->x && grid->y >= threads->y && grid->z >= threads->z) return;
    report(findings, program, SEVERITY_NOTE,
           "the grid (%u,%u,%u) is smaller than a threadgroup (%u,%u,%u): --grid counts threads, "
           "not threadgroups",
           grid->x, grid->y, grid->z, threads->x, threads->y, threads->z);
}

/* The number in [[max_total_threads_per_threadgroup(64)]], which stands before the kernel's body; 0
 * if there is none. */
static unsigned long most_threads(const Program *program) {
    static const char name[] = "max_total_threads_per_threadgroup";
    const char *text = program->text, *begin = text + program->kernel->begin, *end = begin;
    while (begin > text && !strchr(";}", begin[-1]))
        begin--;
    while (*end && *end != '{')
        end++;
    const char *at = memmem(begin, (size_t)(end - begin), name, strlen(name));
    at = at ? memchr(at, '(', (size_t)(end - at)) : NULL;
    return at ? strtoul(at + 1, NULL, 0) : 0;
}

static void check_threads(Findings *findings, const Options *options, const Program *program) {
    unsigned long most = most_threads(program);
    unsigned long threads =
        (unsigned long)options->threads.x * options->threads.y * options->threads.z;
    if (most && threads > most)
        report(findings, program, SEVERITY_ERROR,
               "a threadgroup of %lu threads: [[max_total_threads_per_threadgroup(%lu)]] allows no "
               "more than %lu",
               threads, most, most);
}

static void check_scratch(Findings *findings, const Options *options, const Program *program) {
    for (unsigned i = 0; i < SIMT_BUFFERS; i++)
        if (options->scratch[i] % SCRATCH_UNIT)
            report(findings, program, SEVERITY_ERROR,
                   "[[threadgroup(%u)]] has %zu bytes: Metal asks for a multiple of %d", i,
                   options->scratch[i], SCRATCH_UNIT);
}

void dispatch_check(Findings *findings, const Options *options, const Program *program) {
    check_grid(findings, options, program);
    check_threads(findings, options, program);
    check_scratch(findings, options, program);
}
