/* selftest.h — the parts of `metal-llm selftest`: each writes rows into one report. */
#ifndef METAL_LLM_SELFTEST_H
#define METAL_LLM_SELFTEST_H

#include "device/device.h"
#include "output_file.h"

#include <stdio.h>

/* What a person reads, pastes and sends: no path of this machine, no name of it. Printed as it is
 * written, and kept. Zero-initialise; release with report_free. */
typedef struct Report {
    FILE *kept;
    char *text; /* of `kept` */
    size_t size;
    OutputFile *file; /* NULL: it is only printed */
    size_t rows, failed, skipped;
} Report;

/* `path` is the file that it goes to as well, NULL for none: opened now, before the work. */
bool report_open(Report *report, const char *path, LLMError *error);
/* A line of its own. */
void report_line(Report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A row of the table, "ok" or "FAIL": what was tried, and what came of it. */
void report_row(Report *report, bool ok, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A row of what is not tried, and why. */
void report_skipped(Report *report, const char *name, const char *why);
/* The whole text, into the file. */
void report_save(Report *report, LLMError *error);
void report_free(Report *report);

typedef struct SelfTest {
    const char *device;  /* that is tested */
    LLMChoice choice;    /* the same, for pipelines */
    const char *kernels; /* a folder; NULL: those built in */
    const char *model;   /* the bundled one's path */
    const char *only;    /* a kernel or a path of the model; NULL: all */
    uint64_t seed;       /* of the numbers that the buffers hold */
    uint32_t tokens;     /* of each text of the model */
    Report report;
} SelfTest;

/* The device under test, or another by its name; NULL and a row if it does not open. */
Device *selftest_open(SelfTest *test, const char *name);
/* Whether this row is to be tried. */
bool selftest_wants(const SelfTest *test, const char *row);

/* Every kernel is compiled and run, and compared with the same on the CPU and the emulator. */
void selftest_kernels(SelfTest *test);
/* The vendor's matrix products. */
void selftest_products(SelfTest *test);
/* The bundled model's texts. */
void selftest_model(SelfTest *test);
bool selftest_model_has(const char *row);

#endif
