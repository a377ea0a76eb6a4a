/* metal-check — runs one Metal kernel on this machine, and says what it does wrong. See
 * docs/metal-check.md. */
#include "array.h"
#include "output_file.h"
#include "program.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CLEAN = 0, FOUND = 1, CANNOT = 2, FLAGS = 64, SECONDS = 60, RULES = 64, SHOWN_RANGES = 4 };

static const char usage[] =
    "usage: metal-check FILE.metal --kernel NAME --grid X,Y,Z --threads X,Y,Z [options]\n"
    "\n"
    "Runs a kernel on this machine and reports data races, accesses out of bounds, reads of memory "
    "that\n"
    "nothing wrote, barriers that not all threads reach, reads from lanes that take no part, "
    "writes\n"
    "through const, and results that depend on the order of the threads.\n"
    "\n"
    "  --kernel NAME                the kernel\n"
    "  --grid X,Y,Z                 threads of the whole grid, as dispatchThreads counts\n"
    "  --threads X,Y,Z              threads of a threadgroup\n"
    "  --buffer N=CONTENT           [[buffer(N)]]: a .npy file, zeros:TYPE:COUNT, ones, random, "
    "range or\n"
    "                               empty (nothing written there) likewise, or values, u32:4,5,6;\n"
    "                               TYPE is f32 f16 i8 u8 i16 u16 i32 u32 i64 or u64\n"
    "  --bytes N=TYPE:VALUE,…       [[buffer(N)]] as setBytes would set it, a number or a struct\n"
    "  --constant N=VALUE           [[function_constant(N)]]: a number, true or false\n"
    "  --threadgroup-memory N=BYTES [[threadgroup(N)]]\n"
    "  --simd-width N               lanes of a simdgroup (32)\n"
    "  --seeds N                    orders of the threads to try (4)\n"
    "  --seed N                     of the first order, and of random buffers (1)\n"
    "  -o N=FILE.npy                save a buffer as the first run leaves it\n"
    "  --suppress KIND[=NAME]       leave out such findings, or only those of one buffer or "
    "variable\n"
    "  --strict                     also report what Apple's compiler would refuse, on stderr\n"
    "  --json                       findings as JSON\n"
    "  --cache FOLDER               keep compiled kernels there\n"
    "  --time-limit SECONDS         of one run (60)\n"
    "  -D NAME=VALUE, -I FOLDER     for the compiler\n"
    "\n"
    "Exit status: 0 nothing found, 1 something found, 2 the kernel could not be run.\n";

typedef struct Binding {
    const char *option, *content; /* as given; NULL: not at all */
    Array array;
    const char *output; /* file to save it to */
    unsigned char *memory;
    unsigned char *first; /* what the first seed left, [array.size] */
} Binding;

typedef struct Options {
    ProgramOptions program;
    char *flags[FLAGS + 1];
    size_t flag_count;
    SimtSize grid, threads;
    Binding bindings[SIMT_BUFFERS];
    size_t scratch[SIMT_BUFFERS];
    const char *constants[SIMT_BUFFERS];
    unsigned seeds, seconds;
    uint64_t seed;
    const char *suppressed[RULES + 1];
    size_t suppressed_count;
    bool strict, json;
} Options;

/* --- options --- */

static bool parse_number(const char *option, const char *text, uint64_t low, uint64_t high,
                         uint64_t *number) {
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    if (end != text && !*end && *text != '-' && !errno && *number >= low && *number <= high)
        return true;
    return report_failure("%s %s: a number from %llu to %llu is needed", option, text,
                          (unsigned long long)low, (unsigned long long)high);
}

static bool parse_size(const char *option, const char *text, SimtSize *size) {
    unsigned *const axes[] = {&size->x, &size->y, &size->z};
    *size = (SimtSize){1, 1, 1};
    const char *at = text;
    for (int i = 0; i < 3; i++) {
        char *end;
        unsigned long extent = strtoul(at, &end, 10);
        if (end == at || *at == '-' || !extent || extent > UINT32_MAX) break;
        *axes[i] = (unsigned)extent;
        if (!*end) return true;
        if (*end != ',') break;
        at = end + 1;
    }
    return report_failure("%s %s: write it as X or X,Y or X,Y,Z, each at least 1", option, text);
}

/* "N=rest" */
static bool parse_index(const char *option, const char *text, unsigned *index, const char **rest) {
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (end == text || *end != '=' || number >= SIMT_BUFFERS)
        return report_failure("%s %s: write it as INDEX=…, with an index from 0 to %d", option,
                              text, SIMT_BUFFERS - 1);
    *index = (unsigned)number;
    *rest = end + 1;
    return true;
}

static bool parse_binding(Options *options, const char *option, const char *text) {
    unsigned index;
    const char *content;
    if (!parse_index(option, text, &index, &content)) return false;
    Binding *binding = &options->bindings[index];
    if (binding->content) return report_failure("buffer %u is given twice", index);
    binding->option = option;
    binding->content = content;
    return true;
}

/* When the seed is known. */
static bool read_contents(Options *options) {
    uint64_t random = options->seed;
    char error[256];
    for (unsigned i = 0; i < SIMT_BUFFERS; i++) {
        Binding *binding = &options->bindings[i];
        if (!binding->content) continue;
        bool bytes = !strcmp(binding->option, "--bytes");
        if (bytes ? !array_parse_values(&binding->array, binding->content, error)
                  : !array_parse(&binding->array, binding->content, &random, error))
            return report_failure("%s %u=%s: %s", binding->option, i, binding->content, error);
    }
    return true;
}

static bool parse_scratch(Options *options, const char *text) {
    unsigned index;
    const char *rest;
    uint64_t bytes;
    if (!parse_index("--threadgroup-memory", text, &index, &rest) ||
        !parse_number("--threadgroup-memory", rest, 1, SIMT_THREADGROUP_BYTES, &bytes))
        return false;
    options->scratch[index] = bytes;
    return true;
}

static bool parse_output(Options *options, const char *text) {
    unsigned index;
    const char *path;
    if (!parse_index("-o", text, &index, &path)) return false;
    options->bindings[index].output = path;
    return true;
}

static bool parse_constant(Options *options, const char *text) {
    unsigned index;
    const char *value;
    char *end;
    if (!parse_index("--constant", text, &index, &value)) return false;
    strtod(value, &end);
    bool number = end != value && (!*end || !strcmp(end, "f") || !strcmp(end, "u"));
    if (!number && strcmp(value, "true") && strcmp(value, "false"))
        return report_failure("--constant %s: the value must be a number, true or false", text);
    options->constants[index] = value;
    return true;
}

static bool add_flag(Options *options, const char *flag, const char *value) {
    if (options->flag_count + 2 > FLAGS)
        return report_failure("more than %d options for the compiler", FLAGS / 2);
    options->flags[options->flag_count++] = (char *)(uintptr_t)flag;
    options->flags[options->flag_count++] = (char *)(uintptr_t)value;
    return true;
}

static bool add_rule(Options *options, const char *rule) {
    if (!report_is_rule(rule))
        return report_failure("--suppress %s: there are no such findings; see docs/metal-check.md",
                              rule);
    if (options->suppressed_count == RULES) return report_failure("more than %d --suppress", RULES);
    options->suppressed[options->suppressed_count++] = rule;
    return true;
}

typedef enum Option {
    KERNEL = 256,
    GRID,
    THREADS,
    BUFFER,
    BYTES,
    CONSTANT,
    SCRATCH,
    SIMD_WIDTH,
    SEEDS,
    SEED,
    SUPPRESS,
    STRICT,
    JSON,
    CACHE,
    TIME_LIMIT,
    HELP,
} Option;

static const struct option long_options[] = {
    {"kernel", required_argument, NULL, KERNEL},
    {"grid", required_argument, NULL, GRID},
    {"threads", required_argument, NULL, THREADS},
    {"buffer", required_argument, NULL, BUFFER},
    {"bytes", required_argument, NULL, BYTES},
    {"constant", required_argument, NULL, CONSTANT},
    {"threadgroup-memory", required_argument, NULL, SCRATCH},
    {"simd-width", required_argument, NULL, SIMD_WIDTH},
    {"seeds", required_argument, NULL, SEEDS},
    {"seed", required_argument, NULL, SEED},
    {"suppress", required_argument, NULL, SUPPRESS},
    {"strict", no_argument, NULL, STRICT},
    {"json", no_argument, NULL, JSON},
    {"cache", required_argument, NULL, CACHE},
    {"time-limit", required_argument, NULL, TIME_LIMIT},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static bool set_number(const char *option, uint64_t low, uint64_t high, unsigned *number) {
    uint64_t value;
    if (!parse_number(option, optarg, low, high, &value)) return false;
    *number = (unsigned)value;
    return true;
}

static bool set_option(Options *options, int option) {
    switch (option) {
    case KERNEL:
        options->program.kernel = optarg;
        return true;
    case GRID:
        return parse_size("--grid", optarg, &options->grid);
    case THREADS:
        return parse_size("--threads", optarg, &options->threads);
    case BUFFER:
        return parse_binding(options, "--buffer", optarg);
    case BYTES:
        return parse_binding(options, "--bytes", optarg);
    case CONSTANT:
        return parse_constant(options, optarg);
    case SCRATCH:
        return parse_scratch(options, optarg);
    case SIMD_WIDTH:
        return set_number("--simd-width", 1, SIMT_LANES, &options->program.simd_width);
    case SEEDS:
        return set_number("--seeds", 1, 1000000, &options->seeds);
    case SEED:
        return parse_number("--seed", optarg, 0, UINT64_MAX, &options->seed);
    case TIME_LIMIT:
        return set_number("--time-limit", 1, 1000000, &options->seconds);
    case SUPPRESS:
        return add_rule(options, optarg);
    case STRICT:
        options->strict = true;
        return true;
    case CACHE:
        options->program.cache = optarg;
        return true;
    case JSON:
        options->json = true;
        return true;
    case 'D':
        return add_flag(options, "-D", optarg);
    case 'I':
        return add_flag(options, "-I", optarg);
    case 'o':
        return parse_output(options, optarg);
    default:
        return report_failure("see metal-check --help");
    }
}

static bool parse_options(Options *options, int count, char **arguments) {
    *options = (Options){.program = {.simd_width = 32}, .seeds = 4, .seconds = SECONDS, .seed = 1};
    options->program.flags = options->flags;
    options->program.constants = options->constants;
    for (int option;
         (option = getopt_long(count, arguments, "D:I:o:", long_options, NULL)) != -1;) {
        if (option == HELP) {
            fputs(usage, stdout);
            exit(CLEAN);
        }
        if (!set_option(options, option)) return false;
    }
    if (optind + 1 != count)
        return report_failure("one .metal file is needed; see metal-check --help");
    options->program.path = arguments[optind];
    if (!options->program.kernel) return report_failure("--kernel NAME is needed");
    if (!options->grid.x)
        return report_failure("--grid X,Y,Z is needed: the threads of the whole grid");
    if (!options->threads.x)
        return report_failure("--threads X,Y,Z is needed: the threads of a threadgroup");
    return read_contents(options);
}

/* --- the kernel's parameters --- */

static Space space_of(const BoundParameter *parameter) {
    return parameter->constant ? SPACE_CONSTANT : SPACE_DEVICE;
}

static bool bind_parameter(Options *options, Checker *checker, const BoundParameter *parameter) {
    unsigned index = parameter->index;
    if (parameter->kind == BOUND_BUILTIN) return true;
    if (parameter->kind == BOUND_THREADGROUP) {
        checker_name_scratch(checker, index, parameter->name);
        return options->scratch[index] ||
               report_failure("'%s' needs memory: --threadgroup-memory %u=BYTES", parameter->name,
                              index);
    }
    Binding *binding = &options->bindings[index];
    if (!binding->content)
        return parameter->kind == BOUND_CONSTANT
                   ? report_failure(
                         "'%s' needs a value: --bytes %u=TYPE:VALUE (it is a constant %s &)",
                         parameter->name, index, parameter->type)
                   : report_failure("'%s' needs a buffer: --buffer %u=CONTENT (it is a %s *)",
                                    parameter->name, index, parameter->type);
    if (!element_suits(binding->array.type, parameter->type))
        return report_failure("%s %u=%s: these are elements of type %s, but '%s' is a %s %c",
                              binding->option, index, binding->content,
                              element_name(binding->array.type), parameter->name, parameter->type,
                              parameter->kind == BOUND_CONSTANT ? '&' : '*');
    binding->memory = checker_buffer(checker, index, parameter->name, binding->array.size,
                                     space_of(parameter), parameter->writable);
    return binding->memory ||
           report_failure("no memory for '%s', %zu bytes", parameter->name, binding->array.size);
}

static bool bind_parameters(Options *options, Checker *checker, const BoundKernel *kernel) {
    bool used[SIMT_BUFFERS] = {false};
    for (unsigned i = 0; i < kernel->count; i++) {
        const BoundParameter *parameter = &kernel->parameter[i];
        if (!bind_parameter(options, checker, parameter)) return false;
        if (parameter->kind == BOUND_BUFFER || parameter->kind == BOUND_CONSTANT)
            used[parameter->index] = true;
    }
    for (unsigned i = 0; i < SIMT_BUFFERS; i++) {
        if (options->bindings[i].content && !used[i])
            return report_failure("the kernel has no [[buffer(%u)]]", i);
        if (options->bindings[i].output && !used[i])
            return report_failure("-o: the kernel has no [[buffer(%u)]]", i);
    }
    return true;
}

/* --- running --- */

static bool differs(ElementType type, double a, double b, double scale) {
    if (isnan(a) || isnan(b)) return isnan(a) != isnan(b);
    if (a == b) return false;
    if (!element_is_float(type) || isinf(a) || isinf(b)) return true;
    return fabs(a - b) > scale * (type == ELEMENT_F16 ? 1e-2 : 1e-4);
}

/* The largest finite value: sums of floats may differ by rounding that goes with it. */
static double magnitude(const Array *array, const unsigned char *data) {
    double largest = 0;
    size_t size = element_size(array->type);
    for (size_t i = 0; i < array->count; i++) {
        double value = fabs(element_value(array->type, data + i * size));
        if (isfinite(value) && value > largest) largest = value;
    }
    return largest;
}

static void report_order(Checker *checker, const BoundFile *file, const BoundKernel *kernel,
                         const BoundParameter *parameter, size_t element, double a, double b,
                         const uint64_t seeds[2]) {
    Witness at = {.place = {file->path, kernel->line}};
    Finding *finding = checker_report(checker, FINDING_ORDER, &at);
    if (!finding) return;
    snprintf(finding->name, sizeof finding->name, "%s", parameter->name);
    finding->index = (int)parameter->index;
    snprintf(
        finding->detail, sizeof finding->detail,
        "element %zu of '%s' [[buffer(%u)]] depends on the order of the threads: %.9g with seed "
        "%llu, %.9g with seed %llu",
        element, parameter->name, parameter->index, a, (unsigned long long)seeds[0], b,
        (unsigned long long)seeds[1]);
}

/* The first element of a buffer that this seed left different from the first one. */
static bool compare(const Binding *binding, size_t *element, double *a, double *b) {
    const Array *array = &binding->array;
    if (!memcmp(binding->memory, binding->first, array->size)) return false;
    double scale = magnitude(array, binding->first);
    size_t size = element_size(array->type);
    for (size_t i = 0; i < array->count; i++) {
        *a = element_value(array->type, binding->first + i * size);
        *b = element_value(array->type, binding->memory + i * size);
        *element = i;
        if (differs(array->type, *a, *b, scale)) return true;
    }
    return false;
}

/* "3, 5, 7-9, … (32 of 64)": the elements that nothing wrote. Returns how many they are. */
static size_t list_unwritten(const Checker *checker, unsigned index, const Array *array, char *text,
                             size_t size) {
    size_t count = 0, ranges = 0, used = 0, width = element_size(array->type);
    *text = 0;
    for (size_t i = 0; i < array->count;) {
        size_t begin = i;
        while (i < array->count && !checker_is_written(checker, index, i * width))
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

static void report_never_written(Checker *checker, const BoundFile *file, const BoundKernel *kernel,
                                 const BoundParameter *parameter, const Array *array) {
    char elements[160];
    size_t count = list_unwritten(checker, parameter->index, array, elements, sizeof elements);
    if (!count) return;
    Finding *finding = checker_report(checker, FINDING_NEVER_WRITTEN,
                                      &(Witness){.place = {file->path, kernel->line}});
    if (!finding) return;
    finding->severity = SEVERITY_WARNING;
    finding->index = (int)parameter->index;
    snprintf(finding->name, sizeof finding->name, "%s", parameter->name);
    snprintf(finding->detail, sizeof finding->detail,
             "no thread wrote element%s %s of '%s' [[buffer(%u)]] (%zu of %zu)",
             count > 1 ? "s" : "", elements, parameter->name, parameter->index, count,
             array->count);
}

static void compare_all(Options *options, Checker *checker, const Program *program, uint64_t seed) {
    const BoundKernel *kernel = program->kernel;
    uint64_t seeds[2] = {options->seed, seed};
    for (unsigned i = 0; i < kernel->count; i++) {
        Binding *binding = &options->bindings[kernel->parameter[i].index];
        size_t element;
        double a, b;
        if (kernel->parameter[i].kind != BOUND_BUFFER || !kernel->parameter[i].writable) continue;
        if (!binding->first) {
            if (!binding->array.data)
                report_never_written(checker, &program->file, kernel, &kernel->parameter[i],
                                     &binding->array);
            binding->first = malloc(binding->array.size + 1);
            if (binding->first) memcpy(binding->first, binding->memory, binding->array.size);
        } else if (compare(binding, &element, &a, &b)) {
            report_order(checker, &program->file, kernel, &kernel->parameter[i], element, a, b,
                         seeds);
        }
    }
}

static bool save_outputs(const Options *options) {
    char error[256];
    for (unsigned i = 0; i < SIMT_BUFFERS; i++) {
        const Binding *binding = &options->bindings[i];
        const unsigned char *data = binding->first ? binding->first : binding->memory;
        if (binding->output && !array_save(&binding->array, data, binding->output, error))
            return report_failure("%s", error);
    }
    return true;
}

/* Counting threadgroups, as CUDA does, is a common slip. */
static void note_small_grid(const Options *options, Checker *checker, const BoundFile *file,
                            const BoundKernel *kernel) {
    const SimtSize *grid = &options->grid, *threads = &options->threads;
    if (grid->x >= threads->x && grid->y >= threads->y && grid->z >= threads->z) return;
    Finding *finding =
        checker_report(checker, FINDING_DISPATCH, &(Witness){.place = {file->path, kernel->line}});
    if (!finding) return;
    finding->severity = SEVERITY_NOTE;
    snprintf(finding->detail, sizeof finding->detail,
             "the grid (%u,%u,%u) is smaller than a threadgroup (%u,%u,%u): --grid counts threads, "
             "not threadgroups",
             grid->x, grid->y, grid->z, threads->x, threads->y, threads->z);
}

/* Runs of one order of the threads each; they end with the first that shows a difference. */
static bool run_seeds(Options *options, Checker *checker, const Program *program, Simt *simt) {
    void *arguments[SIMT_BUFFERS];
    for (unsigned i = 0; i < SIMT_BUFFERS; i++)
        arguments[i] = options->bindings[i].memory;
    SimtLaunch launch = {
        .kernel = program->kernel->name,
        .entry = program->entry,
        .threads = options->grid,
        .group_threads = options->threads,
        .arguments = arguments,
        .scratch = options->scratch,
        .simd_width = options->program.simd_width,
    };
    bool ended = false;
    for (unsigned i = 0; i < options->seeds && !ended; i++) {
        char error[256];
        for (unsigned b = 0; b < SIMT_BUFFERS; b++)
            if (options->bindings[b].memory)
                checker_fill(checker, b, options->bindings[b].array.data);
        launch.seed = options->seed + i;
        if (!checker_run(checker, simt, &launch, options->seconds, &ended, error, sizeof error))
            return report_failure("%s", error);
        if (!ended) compare_all(options, checker, program, launch.seed);
    }
    return true;
}

static double cpu_seconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int check(Options *options, Program *program, double compile_seconds) {
    Checker *checker = checker_new(program->symbols, program->begin, program->end);
    Simt *simt = simt_new();
    int status = CANNOT;
    double start = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (!checker || !simt) {
        report_failure("no address space; is it limited (ulimit -v)?");
    } else if (bind_parameters(options, checker, program->kernel) &&
               run_seeds(options, checker, program, simt) && save_outputs(options)) {
        Report report = {
            .kernel = program->kernel->name,
            .file = program->file.path,
            .seeds = options->seeds,
            .compile_seconds = compile_seconds,
            .run_seconds = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - start,
            .suppressed = options->suppressed,
        };
        note_small_grid(options, checker, &program->file, program->kernel);
        report.findings = checker_findings(checker, &report.count);
        size_t shown = options->json ? report_json(&report, stdout) : report_text(&report, stdout);
        status = shown ? FOUND : CLEAN;
    }
    simt_free(simt);
    checker_free(checker);
    return status;
}

int main(int count, char **arguments) {
    static Options options;
    Program program = {0};
    int status = CANNOT;
    output_file_catch_signals();
    if (parse_options(&options, count, arguments)) {
        double start = cpu_seconds(CLOCK_MONOTONIC);
        if (program_open(&program, &options.program))
            status = check(&options, &program, cpu_seconds(CLOCK_MONOTONIC) - start);
        if (status != CANNOT && options.strict && !program_strict(&program, &options.program))
            status = FOUND;
        program_close(&program);
    }
    for (unsigned i = 0; i < SIMT_BUFFERS; i++) {
        free(options.bindings[i].array.data);
        free(options.bindings[i].first);
    }
    return status;
}
