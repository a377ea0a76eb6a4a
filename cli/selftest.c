/* selftest.c — everything that a device does, tried in a minute: for machines that nobody had at
 * hand. */
#include "selftest.h"
#include "model.h"
#include "model/pipeline.h"
#include "options.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

Device *selftest_open(SelfTest *test, const char *name) {
    bool tested = name == test->device;
    DeviceOptions options = {.seed = test->seed, .matmul = true};
    if (tested) options.kernels = test->kernels;
    LLMError error = {0};
    Device *device = device_open(name, &options, &error);
    if (!device) report_row(&test->report, false, name, "%s", error.message);
    return device;
}

bool selftest_wants(const SelfTest *test, const char *row) {
    return !test->only || !strcmp(test->only, row);
}

/* --- what is tested --- */

/* "macOS 14.5" */
static void system_name(char *text, size_t size) {
#ifdef __APPLE__
    char version[64] = "";
    size_t length = sizeof version - 1;
    sysctlbyname("kern.osproductversion", version, &length, NULL, 0);
    snprintf(text, size, "macOS %s, ", version);
#else
    if (size) *text = 0;
#endif
}

static void describe_system(Report *report) {
    struct utsname system = {0};
    char name[96];
    uname(&system);
    system_name(name, sizeof name);
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    report_line(report, "system   %s%s %s %s, %ld cores, %.0f GiB", name, system.sysname,
                system.release, system.machine, sysconf(_SC_NPROCESSORS_ONLN),
                memory / (1024.0 * 1024 * 1024));
}

/* False, with a row that says why, if it does not open. */
static bool describe_device(SelfTest *test) {
    Device *device = selftest_open(test, test->device);
    if (!device) return false;
    report_line(&test->report, "device   %s", device_description(device));
    if (*device_details(device)) report_line(&test->report, "         %s", device_details(device));
    device_close(device);
    return true;
}

static void describe(SelfTest *test) {
    report_line(&test->report, "metal-llm %s, selftest --seed %llu%s", llm_version(),
                (unsigned long long)test->seed,
                test->kernels ? ", with kernels from a folder" : "");
    describe_system(&test->report);
}

/* --- all parts --- */

static void give_verdict(Report *report, double seconds) {
    char skipped[80] = "";
    if (report->skipped)
        snprintf(skipped, sizeof skipped, ", %zu left out, see the rows that begin with skip",
                 report->skipped);
    if (report->failed)
        report_line(report, "FAILED: %zu of %zu tests, see the rows that begin with FAIL%s; %s",
                    report->failed, report->rows, skipped, duration_text(seconds).text);
    else
        report_line(report, "PASSED: %zu tests%s; %s", report->rows, skipped,
                    duration_text(seconds).text);
}

static const struct {
    const char *name, *title;
    void (*run)(SelfTest *test);
} parts[] = {
    {"kernels", "kernels: errors are shares of what is allowed", selftest_kernels},
    {"products", "matrix products of the vendor's library", selftest_products},
    {"model", "the bundled model", selftest_model},
};

/* All parts, or the one of this name; of `test->only` the part that has it. */
static void run_parts(SelfTest *test, const char *only) {
    double start = clock_seconds();
    describe(test);
    bool opens = describe_device(test);
    for (size_t i = 0; i < COUNT(parts) && opens; i++) {
        if (only && strcmp(only, parts[i].name)) continue;
        report_line(&test->report, "\n--- %s ---", parts[i].title);
        parts[i].run(test);
    }
    report_line(&test->report, "%s", "");
    give_verdict(&test->report, clock_seconds() - start);
}

/* The part that `only` names, or that has a row of this name; NULL if there is none. */
static const char *part_of(const char *only) {
    for (size_t i = 0; i < COUNT(parts); i++)
        if (!strcmp(only, parts[i].name)) return parts[i].name;
    for (size_t i = 0; i < kernel_count; i++)
        if (!strcmp(only, kernel_table[i].name)) return "kernels";
    return selftest_model_has(only) ? "model" : NULL;
}

/* Where nothing was asked for. On a Mac its GPU, also one that then does not open; elsewhere the
 * best that opens. */
static LLMChoice choose_device(void) {
    if (!strcmp(device_targets()[0], "metal")) return LLM_METAL;
    Device *cuda = device_open("cuda", NULL, NULL);
    device_close(cuda);
    return cuda ? LLM_CUDA : LLM_CPU;
}

int verb_selftest(Arguments *arguments) {
    SelfTest test = {.seed = 1, .tokens = 40};
    LLMChoice device = LLM_AUTO;
    const char *output = NULL, *only = NULL;
    const Option options[] = {
        option_device(&device),
        option_text("o", "FILE", &output, "write the report there, too"),
        option_kernels(&test.kernels),
        option_text("only", "WHAT", &only,
                    "kernels, products or model; or one kernel, or one row of the model, by name"),
        option_uint64("seed", "N", &test.seed, "of the random numbers (default 1)"),
        option_uint32("n", "N", &test.tokens, 1, 200, "tokens of each of the model's texts"),
    };
    int status;
    if (!options_parse(arguments, options, COUNT(options), NULL, &status)) return status;
    const char *part = only ? part_of(only) : NULL;
    if (only && !part)
        return usage_error(arguments->verb,
                           "there is no '%s'; use kernels, products or model, or the name of a row",
                           only);
    if (only && strcmp(only, part)) test.only = only;
    LLMError error = {0};
    bool needs_model = !part || !strcmp(part, "model");
    if (needs_model) test.model = model_path(NULL, &error);
    if ((needs_model && !test.model) || !report_open(&test.report, output, &error)) {
        report_free(&test.report);
        return exit_status(&error);
    }
    test.choice = device ? device : choose_device();
    test.device = pipeline_device_name(test.choice);
    run_parts(&test, part);
    report_save(&test.report, &error);
    bool failed = test.report.failed;
    report_free(&test.report);
    status = exit_status(&error);
    return failed && status == EXIT_SUCCESS ? EXIT_FAILURE : status;
}
