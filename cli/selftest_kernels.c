/* selftest_kernels.c — every kernel on the device, and the same on the CPU and the emulator. */
#include "device/kernel_sources.h"
#include "selftest.h"
#include "selftest_compare.h"
#include "selftest_draw.h"
#include "units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REFERENCES = 2 };

typedef struct Bench {
    SelfTest *test;
    Device *device; /* under test; NULL if it could not be opened again after a failure */
    Device *references[REFERENCES];
    const char *names[REFERENCES];
} Bench;

/* --- one launch on one device --- */

enum { SENTINEL = 256, BUFFERS = 24 };

/* NaN round what is only read, a number round what is written: a NaN that a kernel reads and writes
 * where it has no business would come out as it went in. */
static void fill_sentinel(unsigned char *bytes, bool is_written) {
    for (size_t i = 0; i < SENTINEL; i++)
        bytes[i] = is_written ? (i % 2 ? 0xA7 : 0x5A) : (i % 2 ? 0xFF : 0xE5);
}

/* The contents between two sentinels, to be freed. */
static unsigned char *with_sentinels(const Drawn *drawn, bool is_written) {
    unsigned char *image = malloc(drawn->bytes + 2 * SENTINEL);
    if (!image) return NULL;
    fill_sentinel(image, is_written);
    memcpy(image + SENTINEL, drawn->data, drawn->bytes);
    fill_sentinel(image + SENTINEL + drawn->bytes, is_written);
    return image;
}

static DeviceBuffer *upload(Device *device, const Drawn *drawn, bool is_written, LLMError *error) {
    unsigned char *image = with_sentinels(drawn, is_written);
    if (!image) return error_memory(error, drawn->bytes);
    DeviceBuffer *buffer = device_buffer_new(device, drawn->bytes + 2 * SENTINEL);
    device_write(buffer, 0, image, drawn->bytes + 2 * SENTINEL);
    free(image);
    return buffer;
}

/* The contents replace what was drawn. False and `error` if something stands outside of them. */
static bool download(DeviceBuffer *buffer, Drawn *drawn, const KernelParameter *parameter,
                     LLMError *error) {
    bool is_written = parameter->kind == PARAMETER_WRITE;
    unsigned char *before = with_sentinels(drawn, is_written);
    size_t bytes = drawn->bytes + 2 * SENTINEL;
    unsigned char *image = before ? malloc(bytes) : NULL;
    if (image) {
        device_read(buffer, 0, image, bytes);
        if (memcmp(image, before, SENTINEL) ||
            memcmp(image + bytes - SENTINEL, before + bytes - SENTINEL, SENTINEL))
            error_set(error, LLM_ERROR_DEVICE, "it wrote outside of '%s'", parameter->name);
        else if (!is_written && memcmp(image, before, bytes))
            error_set(error, LLM_ERROR_DEVICE, "it changed '%s', which it only reads",
                      parameter->name);
        memcpy(drawn->data, image + SENTINEL, drawn->bytes);
    } else {
        error_memory(error, bytes);
    }
    free(before);
    free(image);
    return !error_is_set(error);
}

/* The buffers of `drawn` hold the results afterwards. */
static void run_launch(Device *device, const Launch *launch, const Kernel *kernel, Drawn *drawn,
                       LLMError *error) {
    DeviceBuffer *buffers[BUFFERS] = {0};
    DeviceArgument arguments[BUFFERS];
    for (size_t i = 0; i < launch->count; i++) {
        arguments[i] = launch->arguments[i].value;
        if (!drawn[i].data) continue;
        buffers[i] =
            upload(device, &drawn[i], kernel->parameters[i].kind == PARAMETER_WRITE, error);
        arguments[i] = arg_buffer(buffers[i], SENTINEL);
    }
    if (!device_failed(device, error) && !error_is_set(error))
        device_dispatch(device, launch->kernel, launch->grid, arguments, launch->count);
    device_wait(device, device_submit(device));
    for (size_t i = 0; i < launch->count && !device_failed(device, error); i++)
        if (buffers[i] && !download(buffers[i], &drawn[i], &kernel->parameters[i], error)) break;
    device_failed(device, error);
    for (size_t i = 0; i < launch->count; i++)
        device_buffer_free(buffers[i]);
}

/* --- one launch on all devices --- */

/* What is called scratch is of no use after the kernel. */
static bool is_result(const KernelParameter *parameter) {
    return parameter->kind == PARAMETER_WRITE && strcmp(parameter->name, "scratch");
}

/* The largest share of what is allowed, over all that is written. False with an error that says
 * where it is too much. */
static bool compare_all(const Launch *launch, const Kernel *kernel, const Drawn *actual,
                        const Drawn *expected, const char *name, double *share, LLMError *error) {
    for (size_t i = 0; i < launch->count; i++) {
        if (!is_result(&kernel->parameters[i])) continue;
        Difference difference = compare(&launch->arguments[i], actual[i].data, expected[i].data);
        if (!(difference.share <= *share)) *share = difference.share;
        if (difference.share <= 1) continue;
        return error_set(error, LLM_ERROR_DEVICE, "'%s' at %zu is %g, on %s %g",
                         kernel->parameters[i].name, difference.at, difference.actual, name,
                         difference.expected);
    }
    return true;
}

static bool compare_with(Bench *bench, int reference, const Launch *launch, const Kernel *kernel,
                         uint64_t seed, const Drawn *actual, double *share, LLMError *error) {
    Drawn expected[BUFFERS] = {0};
    if (draw_all(launch, seed, expected, error))
        run_launch(bench->references[reference], launch, kernel, expected, error);
    bool same = !error_is_set(error) && compare_all(launch, kernel, actual, expected,
                                                    bench->names[reference], share, error);
    drawn_free(expected, launch->count);
    return same;
}

static void try_launch(Bench *bench, const Launch *launch, const Kernel *kernel, uint64_t seed,
                       double shares[REFERENCES], LLMError *error) {
    Drawn actual[BUFFERS] = {0};
    if (draw_all(launch, seed, actual, error))
        run_launch(bench->device, launch, kernel, actual, error);
    for (int i = 0; i < REFERENCES && !error_is_set(error); i++)
        if (bench->references[i])
            compare_with(bench, i, launch, kernel, seed, actual, &shares[i], error);
    drawn_free(actual, launch->count);
}

/* --- one kernel --- */

/* A device that has failed once does nothing any more. */
static void open_again(Bench *bench) {
    device_close(bench->device);
    bench->device = selftest_open(bench->test, bench->test->device);
}

static void report_kernel(Bench *bench, const Kernel *kernel, double compiling, size_t count,
                          const double *shares) {
    char text[128];
    size_t used = 0;
    for (int i = 0; i < REFERENCES; i++)
        if (bench->references[i])
            used += (size_t)snprintf(text + used, sizeof text - used, ", %s %.2f", bench->names[i],
                                     shares[i]);
    report_row(&bench->test->report, true, kernel->name, "compiled in %s, %zu launches%s",
               duration_text(compiling).text, count, text);
}

static void test_kernel(Bench *bench, const Kernel *kernel, const Launch *launches, size_t count) {
    LLMError error = {0};
    double start = clock_seconds(), shares[REFERENCES] = {0};
    device_prepare(bench->device, kernel->name);
    double compiling = clock_seconds() - start;
    bool compiled = !device_failed(bench->device, &error);
    if (!count) error_set(&error, LLM_ERROR_DEVICE, "the self-test does not know what it is given");
    size_t i = 0;
    for (; i < count && !error_is_set(&error); i++)
        try_launch(bench, &launches[i], kernel,
                   bench->test->seed + (size_t)(launches - selftest_launches) + i, shares, &error);
    if (!error_is_set(&error))
        report_kernel(bench, kernel, compiling, count, shares);
    else if (compiled && count)
        report_row(&bench->test->report, false, kernel->name, "launch %zu: %s", i, error.message);
    else
        report_row(&bench->test->report, false, kernel->name, "%s", error.message);
    if (device_failed(bench->device, &error)) open_again(bench);
}

/* --- all kernels --- */

/* By its file: a GPU compiles files. */
static bool needs_matrices(const Kernel *kernel) {
    char *text = kernel_source_text(NULL, kernel->file, NULL, NULL);
    bool needs = text && strstr(text, "simdgroup_multiply");
    free(text);
    return needs;
}

/* Of the launches from `first` on, those of the same kernel. */
static size_t launches_of(const Kernel *kernel, const Launch **first) {
    size_t i = 0, count = 0;
    while (i < selftest_launch_count && strcmp(selftest_launches[i].kernel, kernel->name))
        i++;
    *first = &selftest_launches[i];
    while (i + count < selftest_launch_count &&
           !strcmp(selftest_launches[i + count].kernel, kernel->name))
        count++;
    return count;
}

static void open_references(Bench *bench) {
    static const char *const names[REFERENCES] = {"cpu", "simt"};
    for (int i = 0; i < REFERENCES; i++) {
        bench->names[i] = names[i];
        if (strcmp(names[i], bench->test->device))
            bench->references[i] = selftest_open(bench->test, names[i]);
    }
}

/* Where the device's compiler can do several at once; the rows tell the time of a file otherwise.
 */
static void prepare_all(Bench *bench) {
    double start = clock_seconds();
    if (bench->test->only || !bench->device || !device_prepare_all(bench->device)) return;
    report_line(&bench->test->report, "compiled in parallel in %s; the rows tell what is left",
                duration_text(clock_seconds() - start).text);
}

void selftest_kernels(SelfTest *test) {
    Bench bench = {.test = test, .device = selftest_open(test, test->device)};
    prepare_all(&bench);
    open_references(&bench);
    for (size_t i = 0; i < kernel_count && bench.device; i++) {
        const Launch *launches;
        size_t count = launches_of(&kernel_table[i], &launches);
        if (!selftest_wants(test, kernel_table[i].name)) continue;
        if (device_facts(bench.device)->lacks_matrices && needs_matrices(&kernel_table[i]))
            report_skipped(&test->report, kernel_table[i].name,
                           "this GPU has no matrix units, and is not given this kernel");
        else
            test_kernel(&bench, &kernel_table[i], launches, count);
    }
    device_close(bench.device);
    for (int i = 0; i < REFERENCES; i++)
        device_close(bench.references[i]);
}
