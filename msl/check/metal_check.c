/* metal-check — runs one Metal kernel on this machine, and says what it does wrong. See
 * docs/metal-check.md. */
#include "bindings.h"
#include "dispatch.h"
#include "failure.h"
#include "isolation.h"
#include "orders.h"
#include "output_file.h"
#include "process.h"
#include "report.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SHOWN_RANGES = 4 };

/* What the kernel's process hands back. */
typedef struct Outcome {
    Findings findings;
    char failure[512]; /* why the kernel could not be run, empty if it was */
    bool kept;         /* what the first seed left is in Binding.first */
    double run_seconds;
} Outcome;

typedef struct Run {
    Options *options;
    Program *program;
    Checker *checker;
    CodeBlocks *blocks;               /* isolated memory; NULL: no coverage is wanted */
    Outcome *outcome;                 /* isolated memory */
    uint64_t *writers[CHECKER_SLOTS]; /* of the first run's elements, in the kernel's process */
    OutputFile *outputs[CHECKER_SLOTS], *lcov; /* NULL: not wanted */
} Run;

static Place kernel_place(const Run *run) {
    return (Place){run->program->file.path, run->program->kernel->line};
}

/* --- in the kernel's process --- */

/* About all of a buffer or texture. */
static Finding *add_finding(const Run *run, FindingKind kind, const Binding *binding) {
    Finding *finding =
        findings_add(&run->outcome->findings, kind, &(Witness){.place = kernel_place(run)});
    if (!finding) return NULL;
    snprintf(finding->name, sizeof finding->name, "%.63s", binding->name);
    finding->index = binding->index;
    finding->space = binding->space;
    return finding;
}

/* Of a buffer there is one: the first that is more than a note. */
static Finding *order_finding(const Run *run, const Binding *binding) {
    Findings *findings = &run->outcome->findings;
    for (size_t i = 0; i < findings->count; i++) {
        Finding *known = &findings->list[i];
        if (known->kind == FINDING_ORDER && !strcmp(known->name, binding->name))
            return known->severity == SEVERITY_NOTE ? known : NULL;
    }
    return add_finding(run, FINDING_ORDER, binding);
}

static void report_order(const Run *run, const Binding *binding, OrderResult result,
                         const OrderDifference *difference, const uint64_t seeds[2]) {
    Finding *finding = order_finding(run, binding);
    if (!finding) return;
    finding->severity = result == ORDER_DIFFERENT ? SEVERITY_ERROR : SEVERITY_NOTE;
    if (result != ORDER_DIFFERENT) {
        snprintf(finding->detail, sizeof finding->detail,
                 result == ORDER_MOVED
                     ? "%s has the same elements in another order with seed %llu, as a list has "
                       "that threads append to; --unordered %s takes that as the same"
                     : "%s is linked in another order with seed %llu, as lists are whose heads "
                       "threads exchange; --unordered %s takes that as the same",
                 binding->label, (unsigned long long)seeds[1], binding->target);
        return;
    }
    const char *word;
    size_t unit = binding_unit(binding, &word);
    snprintf(
        finding->detail, sizeof finding->detail,
        "%s %zu of %s depends on the order of the threads: %.9g with seed %llu, %.9g with seed "
        "%llu",
        word, difference->element * element_size(binding->array.type) / unit, binding->label,
        difference->a, (unsigned long long)seeds[0], difference->b, (unsigned long long)seeds[1]);
}

/* Who wrote each element of a buffer; to be freed by the caller. NULL without memory. */
static uint64_t *writers_of(const Run *run, unsigned slot) {
    const Array *array = &run->options->bindings[slot].array;
    uint64_t *writers = malloc((array->count + 1) * sizeof *writers);
    for (size_t i = 0; writers && i < array->count; i++)
        writers[i] = checker_writer(run->checker, slot, i * element_size(array->type));
    return writers;
}

static bool is_compared(const Binding *binding) {
    return binding->writable && binding->memory && !binding->is_made;
}

static OrderPart part_of(const Binding *binding) {
    return (OrderPart){&binding->array, binding->first, binding->memory};
}

/* Are these the heads or the links of lists? Threads exchanged the heads. */
static bool is_linked(const Run *run, unsigned slot) {
    const Binding *bindings = run->options->bindings;
    for (unsigned i = 0; i < run->options->binding_count; i++)
        if (is_compared(&bindings[i]) &&
            (checker_is_swapped(run->checker, i) || checker_is_swapped(run->checker, slot)) &&
            orders_linked(part_of(&bindings[slot]), part_of(&bindings[i])))
            return true;
    return false;
}

/* Another seed's buffer with the first one's. */
static void compare(const Run *run, unsigned slot, const uint64_t seeds[2]) {
    const Binding *binding = &run->options->bindings[slot];
    if (!memcmp(binding->first, binding->memory, binding->array.size)) return;
    uint64_t *writers = writers_of(run, slot);
    Left first = {binding->first, run->writers[slot]}, other = {binding->memory, writers};
    OrderOptions options = {checker_is_exchanged(run->checker, slot), binding->unordered};
    OrderDifference difference;
    OrderResult result = orders_compare(&binding->array, &first, &other, options, &difference);
    if (result == ORDER_DIFFERENT && is_linked(run, slot))
        result = binding->unordered ? ORDER_SAME : ORDER_LINKED;
    if (result != ORDER_SAME) report_order(run, binding, result, &difference, seeds);
    free(writers);
}

/* "3, 5, 7-9, … (32 of 64)": the elements that nothing wrote. Returns how many they are. */
static size_t list_unwritten(const Checker *checker, unsigned slot, size_t unit, size_t total,
                             char *text, size_t size) {
    size_t count = 0, ranges = 0, used = 0;
    *text = 0;
    for (size_t i = 0; i < total;) {
        size_t begin = i;
        while (i < total && !checker_is_written(checker, slot, i * unit))
            i++;
        if (i == begin) {
            i++;
            continue;
        }
        count += i - begin;
        if (ranges++ >= SHOWN_RANGES) continue;
        used += (size_t)snprintf(text + used, size - used, i - begin > 1 ? "%s%zu-%zu" : "%s%zu",
                                 used ? ", " : "", begin, i - 1);
    }
    if (ranges > SHOWN_RANGES) snprintf(text + used, size - used, ", …");
    return count;
}

static void report_never_written(const Run *run, unsigned slot) {
    const Binding *binding = &run->options->bindings[slot];
    char elements[160];
    const char *word;
    size_t unit = binding_unit(binding, &word), total = binding->array.size / unit;
    size_t count = list_unwritten(run->checker, slot, unit, total, elements, sizeof elements);
    Finding *finding = count ? add_finding(run, FINDING_NEVER_WRITTEN, binding) : NULL;
    if (!finding) return;
    finding->severity = SEVERITY_WARNING;
    snprintf(finding->detail, sizeof finding->detail, "no thread wrote %s%s %s of %s (%zu of %zu)",
             word, count > 1 ? "s" : "", elements, binding->label, count, total);
}

/* The first run's buffers are kept, those of the others compared with them. */
static void compare_all(Run *run, uint64_t seed) {
    uint64_t seeds[2] = {run->options->seed, seed};
    for (unsigned i = 0; i < run->options->binding_count; i++) {
        const Binding *binding = &run->options->bindings[i];
        if (!is_compared(binding)) continue;
        if (run->outcome->kept) {
            compare(run, i, seeds);
            continue;
        }
        if (!binding->array.data) report_never_written(run, i);
        memcpy(binding->first, binding->memory, binding->array.size);
        run->writers[i] = writers_of(run, i);
    }
    run->outcome->kept = true;
}

static void name_scratch(const Run *run) {
    const BoundKernel *kernel = run->program->kernel;
    for (unsigned i = 0; i < kernel->count; i++)
        if (kernel->parameter[i].kind == BOUND_THREADGROUP)
            checker_name_scratch(run->checker, kernel->parameter[i].index,
                                 kernel->parameter[i].name);
}

/* Runs of one order of the threads each; they end with the first that shows a difference. */
static bool run_seeds(Run *run, Simt *simt) {
    const Options *options = run->options;
    void *arguments[SIMT_ARGUMENTS];
    bindings_arguments(options, arguments);
    SimtLaunch launch = {
        .kernel = run->program->kernel->name,
        .entry = run->program->entry,
        .threads = options->grid,
        .group_threads = options->threads,
        .arguments = arguments,
        .scratch = options->scratch,
        .simd_width = options->program.simd_width,
    };
    bool ended = false;
    for (unsigned i = 0; i < options->seeds && !ended; i++) {
        char error[256];
        bindings_fill(options, run->checker);
        launch.seed = options->seed + i;
        if (!checker_run(run->checker, simt, &launch, options->seconds, &ended, error,
                         sizeof error))
            return report_failure("%s", error);
        run->outcome->findings.log_is_closed = true; /* the other orders log the same */
        if (!ended) compare_all(run, launch.seed);
    }
    return true;
}

/* A run that was ended early leaves something, too. */
static void keep_unfinished(const Run *run) {
    for (size_t i = 0; i < run->options->binding_count && !run->outcome->kept; i++) {
        const Binding *binding = &run->options->bindings[i];
        if (binding->memory && binding->first)
            memcpy(binding->first, binding->memory, binding->array.size);
    }
}

static double seconds_of(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* All that happens once the kernel's code is in memory. */
static void run_kernel(void *context) {
    Run *run = context;
    Program *program = run->program;
    double start = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    report_failures_to(run->outcome->failure, sizeof run->outcome->failure);
    Simt *simt = simt_new();
    if (program_load(program))
        run->checker =
            checker_new(&run->outcome->findings, program->symbols, program->begin, program->end);
    if (program->entry && (!run->checker || !simt))
        report_failure("no address space; is it limited (ulimit -v)?");
    if (run->checker) name_scratch(run);
    if (run->checker && simt && bindings_place(run->options, run->checker) && run_seeds(run, simt))
        keep_unfinished(run);
    if (run->blocks && program->entry) coverage_take(run->blocks, program->begin);
    run->outcome->run_seconds = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - start;
}

/* --- outside --- */

static void report_fault(const Run *run, const char *format, int number) {
    Finding *finding = findings_add(&run->outcome->findings, FINDING_FAULT,
                                    &(Witness){.place = kernel_place(run)});
    if (finding) snprintf(finding->detail, sizeof finding->detail, format, number);
}

/* False if the kernel was not run; stderr says why. */
static bool judge(const Run *run, IsolatedEnd end, int number) {
    if (end == ISOLATED_FAILED) return report_failure("no process could be started");
    if (end == ISOLATED_INTERRUPTED) return false;
    if (end == ISOLATED_UNFILTERED)
        return report_failure("this system has no seccomp, which keeps the kernel from harm; "
                              "--no-isolation runs it all the same");
    if (*run->outcome->failure) return report_failure("%s", run->outcome->failure);
    if (end == ISOLATED_EXITED && !run->outcome->findings.stopped)
        report_fault(run, "ended the process, with exit status %d", number);
    if (end == ISOLATED_KILLED) report_fault(run, "ended the process, by signal %d", number);
    if (end == ISOLATED_TIMED_OUT) report_fault(run, "has not come to an end in time", 0);
    return true;
}

/* What the checker needs for each byte of a buffer, and some more. */
static Isolation limits(const Options *options) {
    size_t bytes = (size_t)4 << 30;
    for (size_t i = 0; i < options->binding_count; i++)
        bytes += 64 * options->bindings[i].array.size;
    return (Isolation){.seconds = 2 * options->seeds * options->seconds + 10,
                       .memory = bytes,
                       .filter = options->isolated};
}

/* Before the work, so that what is in their way is said at once. */
static bool open_outputs(Run *run) {
    LLMError error = {0};
    const Options *options = run->options;
    for (size_t i = 0; i < options->binding_count; i++)
        if (options->bindings[i].output)
            run->outputs[i] = output_file_open(options->bindings[i].output, &error);
    if (options->lcov) run->lcov = output_file_open(options->lcov, &error);
    return !error_is_set(&error) || report_failure("%s", error.message);
}

/* Bring a file under its name; unless `error` is set, which leaves nothing of it. */
static void close_output(OutputFile **file, LLMError *error) {
    output_file_close(*file, error);
    *file = NULL;
}

static bool save_outputs(Run *run) {
    LLMError error = {0};
    for (size_t i = 0; i < run->options->binding_count; i++) {
        const Binding *binding = &run->options->bindings[i];
        if (!run->outputs[i]) continue;
        array_save(&binding->array, binding->first, run->outputs[i], &error);
        close_output(&run->outputs[i], &error);
    }
    return !error_is_set(&error) || report_failure("%s", error.message);
}

static bool save_lcov(Run *run, const Coverage *coverage) {
    LLMError error = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (memory) coverage_lcov(coverage, memory);
    if (!memory || fclose(memory) != 0 || !text) error_memory(&error, size);
    output_file_write(run->lcov, text, size, &error);
    close_output(&run->lcov, &error);
    free(text);
    return !error_is_set(&error) || report_failure("%s", error.message);
}

/* Of a run that came to nothing. */
static void drop_outputs(Run *run) {
    LLMError error = {.status = LLM_ERROR_FILE};
    for (size_t i = 0; i < run->options->binding_count; i++)
        close_output(&run->outputs[i], &error);
    close_output(&run->lcov, &error);
}

static bool share_memory(Run *run) {
    run->outcome = isolated_memory(sizeof *run->outcome);
    if (run->options->program.coverage) run->blocks = isolated_memory(sizeof *run->blocks);
    for (size_t i = 0; run->outcome && i < run->options->binding_count; i++) {
        Binding *binding = &run->options->bindings[i];
        if (!binding_has_memory(binding)) continue;
        binding->first = isolated_memory(binding->array.size);
        if (!binding->first)
            return report_failure("no memory for %s, %zu bytes", binding->label,
                                  binding->array.size);
        if (binding->array.data) memcpy(binding->first, binding->array.data, binding->array.size);
    }
    return run->outcome || report_failure("no memory");
}

static void free_memory(Run *run) {
    isolated_memory_free(run->outcome, sizeof *run->outcome);
    isolated_memory_free(run->blocks, sizeof *run->blocks);
    for (size_t i = 0; i < run->options->binding_count; i++)
        isolated_memory_free(run->options->bindings[i].first, run->options->bindings[i].array.size);
}

static int check(Run *run, double compile_seconds) {
    const Options *options = run->options;
    const Program *program = run->program;
    if (!bindings_find(run->options, program) || !share_memory(run)) return CANNOT;
    int number;
    Isolation isolation = limits(options);
    IsolatedEnd end = isolated_run(run_kernel, run, &isolation, &number);
    if (!judge(run, end, number) || !save_outputs(run)) return CANNOT;
    make_printable(run->outcome->findings.log, strlen(run->outcome->findings.log), "\n\t");
    fputs(run->outcome->findings.log, stderr);
    dispatch_check(&run->outcome->findings, options, program);
    findings_resolve(&run->outcome->findings, program->symbols, kernel_place(run));
    Report report = {
        .kernel = program->kernel->name,
        .file = program->file.path,
        .seeds = options->seeds,
        .compile_seconds = compile_seconds,
        .run_seconds = run->outcome->run_seconds,
        .findings = run->outcome->findings.list,
        .count = run->outcome->findings.count,
        .suppressed = options->suppressed,
    };
    Coverage coverage = {0};
    if (run->blocks) {
        coverage =
            coverage_of(run->blocks, program->symbols, program->file.path, program->file.last_line);
        report.coverage = &coverage;
    }
    bool saved = !run->lcov || save_lcov(run, &coverage);
    size_t shown = 0;
    if (saved) shown = options->json ? report_json(&report, stdout) : report_text(&report, stdout);
    coverage_free(&coverage);
    return !saved ? CANNOT : shown ? FOUND : CLEAN;
}

/* --- signals: whatever ends the program, its folder and unfinished files go with it --- */

static volatile sig_atomic_t ended_by;

static void on_end(int number) {
    ended_by = number;
    isolated_interrupt();
    process_interrupt();
}

static void watch_ends(void) {
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct sigaction old, end = {.sa_handler = on_end};
        if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(ends[i], &end, NULL);
    }
    signal(SIGXFSZ, SIG_IGN); /* a file that may not become so large is an error of write */
}

/* The check of the language knows no textures, and would refuse all that has them. */
static bool check_strict(const Options *options, const Program *program) {
    const BoundFile *file = &program->file;
    for (size_t k = 0; options->strict && k < file->kernel_count; k++)
        for (unsigned i = 0; i < file->kernels[k].count; i++) {
            BoundKind kind = file->kernels[k].parameter[i].kind;
            if (kind == BOUND_TEXTURE || kind == BOUND_SAMPLER)
                return report_failure("--strict is not for files with textures or samplers");
        }
    return true;
}

static int run_options(Options *options) {
    Program program = {0};
    Run run = {.options = options, .program = &program};
    int status = CANNOT;
    double start = seconds_of(CLOCK_MONOTONIC);
    if (options->list)
        status = program_list(&program, &options->program, options->json) ? CLEAN : CANNOT;
    else if (open_outputs(&run) && program_open(&program, &options->program) && !ended_by &&
             check_strict(options, &program))
        status = check(&run, seconds_of(CLOCK_MONOTONIC) - start);
    if (!options->list && status != CANNOT && options->strict &&
        !program_strict(&program, &options->program))
        status = FOUND;
    drop_outputs(&run);
    program_close(&program);
    free_memory(&run);
    return status;
}

static bool is_printed(void) {
    errno = 0;
    return (fflush(stdout) == 0 && !ferror(stdout)) ||
           report_failure("the report cannot be written: %s", strerror(errno ? errno : EIO));
}

/* Before the options are read, in which something may be wrong. */
static bool wants_json(int count, char **arguments) {
    for (int i = 1; i < count; i++)
        if (!strcmp(arguments[i], "--json")) return true;
    return false;
}

int main(int count, char **arguments) {
    static Options options;
    output_file_keep_standard_streams();
    watch_ends();
    bool listens = wants_json(count, arguments) && failure_listen();
    int status = options_parse(&options, count, arguments) ? run_options(&options) : CANNOT;
    if (listens)
        failure_tell(options.program.path, options.program.kernel,
                     status == CANNOT && !ended_by ? stdout : NULL);
    options_free(&options);
    bool printed = is_printed();
    if (ended_by) {
        signal(ended_by, SIG_DFL);
        raise(ended_by);
    }
    return printed ? status : CANNOT;
}
