#include "options.h"
#include "formats.h"
#include "report.h"
#include "suppress.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { SECONDS = 60 };

static const char usage[] =
    "usage: metal-check FILE.metal --kernel NAME --grid X,Y,Z --threads X,Y,Z [options]\n"
    "       metal-check FILE.metal --list\n"
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
    "  --groups X,Y,Z               threadgroups, instead of --grid, as dispatchThreadgroups "
    "counts\n"
    "  --buffer N=CONTENT           [[buffer(N)]]: a .npy file, zeros:TYPE:COUNT, ones, random, "
    "range or\n"
    "                               empty (nothing written there) likewise, or values, u32:4,5,6;\n"
    "                               @M+BYTES, the memory of [[buffer(M)]] from that byte on;\n"
    "                               TYPE is f32 f16 i8 u8 i16 u16 i32 u32 i64 or u64\n"
    "  --bytes N=TYPE:VALUE,…       [[buffer(N)]] as setBytes would set it, a number or a struct\n"
    "  --bytes N=MEMBER=VALUE,…     a struct by its members' names; the others are zero\n"
    "  --texture N=CONTENT          [[texture(N)]], likewise: u8:HEIGHTxWIDTHxCHANNELS, in front "
    "of them\n"
    "                               the depth or the layers; one channel needs no CHANNELS\n"
    "  --sampler N=WORD,…           [[sampler(N)]]: linear, repeat, pixel and the like\n"
    "  --buffer N.MEMBER=CONTENT    what a pointer in [[buffer(N)]] leads to; also --bytes, "
    "--texture and\n"
    "                               --sampler; N.list[2], N.inner.p likewise\n"
    "  --constant N=VALUE,…         [[function_constant(N)]]: a number, true or false; several for "
    "a vector\n"
    "  --threadgroup-memory N=BYTES [[threadgroup(N)]]\n"
    "  --simd-width N               lanes of a simdgroup (32)\n"
    "  --seeds N                    orders of the threads to try (4)\n"
    "  --seed N                     of the first order, and of random buffers (1)\n"
    "  --unordered N                the order of [[buffer(N)]]'s elements does not matter: a list\n"
    "  -o N=FILE.npy                save a buffer as the first run leaves it; texture:N= a "
    "texture,\n"
    "                               N.MEMBER= what a member leads to\n"
    "  --suppress KIND[=NAME]       leave out such findings, or only those of one buffer or "
    "variable\n"
    "  --strict                     also report what Apple's compiler would refuse, on stderr\n"
    "  --coverage[=FILE.info]       also say which lines no thread reached, in FILE as lcov\n"
    "  --json                       findings as JSON, and with --list the kernels\n"
    "  --no-isolation               let the kernel do what this program may: where seccomp is "
    "missing\n"
    "  --cache FOLDER               keep compiled kernels there\n"
    "  --time-limit SECONDS         of one run (60)\n"
    "  -D NAME=VALUE, -I FOLDER, -include FILE\n"
    "                               for the preprocessor\n"
    "  --list                       the file's kernels, each with a launch to begin with; none is "
    "run\n"
    "\n"
    "FILE.metal may be -, standard input.\n"
    "Exit status: 0 nothing found, 1 something found, 2 the kernel could not be run.\n";

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

static bool refuse_index(const char *option, const char *text, unsigned count) {
    return report_failure("%s %s: write it as INDEX=…, with an index from 0 to %u", option, text,
                          count - 1);
}

Binding *options_binding(Options *options, const char *target, size_t length) {
    for (size_t i = 0; i < options->binding_count; i++) {
        const char *own = options->bindings[i].target;
        if (strlen(own) == length && !memcmp(own, target, length)) return &options->bindings[i];
    }
    if (options->binding_count == CHECKER_SLOTS || length >= TARGET_BYTES) {
        report_failure("no room for %.*s", (int)length, target);
        return NULL;
    }
    Binding *binding = &options->bindings[options->binding_count++];
    snprintf(binding->target, sizeof binding->target, "%.*s", (int)length, target);
    return binding;
}

/* "N=rest" and "N.member[2]=rest". Of what has no member, `prefix` comes before its number. */
static Binding *parse_target(Options *options, const char *option, const char *prefix,
                             unsigned count, const char *text, const char **rest) {
    char *end, target[32];
    unsigned long number = strtoul(text, &end, 10);
    bool has_index = end != text && *text != '-' && *text != '+';
    bool is_member = has_index && (*end == '.' || *end == '[');
    size_t length = strcspn(text, "=");
    *rest = text + length + 1;
    if (!has_index || (!is_member && *end != '=') || text[length] != '=' ||
        number >= (is_member ? SIMT_BUFFERS : count)) {
        refuse_index(option, text, count);
        return NULL;
    }
    if (is_member) return options_binding(options, text, length);
    int used = snprintf(target, sizeof target, "%s%lu", prefix, number);
    return options_binding(options, target, (size_t)used);
}

static bool parse_binding(Options *options, const char *option, const char *prefix, unsigned count,
                          const char *text) {
    const char *content;
    Binding *binding = parse_target(options, option, prefix, count, text, &content);
    if (!binding) return false;
    if (binding->content)
        return report_failure("%s %.*s is given twice", option + 2, (int)strcspn(text, "="), text);
    binding->option = option;
    binding->given = text;
    binding->content = content;
    return true;
}

/* "n=3": where a value would begin with a number, or with a type and a colon. */
static bool names_members(const char *content) {
    return content[strcspn(content, "=:,")] == '=';
}

/* "@0" or "@0+256", and of members "@0.pool+16". */
static bool parse_share(Options *options, Binding *binding) {
    const char *target = binding->content + 1;
    size_t length = strcspn(target, "+");
    uint64_t offset = 0;
    if (target[length] && !parse_number(binding->option, target + length + 1, 0, SIZE_MAX, &offset))
        return false;
    const Binding *owner = options_binding(options, target, length);
    if (!owner) return false;
    binding->shares = owner->target;
    binding->shared_offset = offset;
    return true;
}

/* When the seed is known. */
static bool read_contents(Options *options) {
    uint64_t random = options->seed;
    char error[256];
    for (size_t i = 0; i < options->binding_count; i++) {
        Binding *binding = &options->bindings[i];
        if (!binding->content) continue;
        bool is_value = !strcmp(binding->option, "--bytes");
        binding->by_name = is_value && names_members(binding->content);
        if (binding->by_name) continue; /* once their types are known */
        if (!strcmp(binding->option, "--buffer") && *binding->content == '@') {
            if (!parse_share(options, binding)) return false;
            continue;
        }
        bool read = is_value ? array_parse_values(&binding->array, binding->content, error)
                    : !strcmp(binding->option, "--sampler")
                        ? sampler_parse(&binding->sampler, binding->content, error)
                        : array_parse(&binding->array, binding->content, &random, error);
        if (!read) return report_failure("%s %s: %s", binding->option, binding->given, error);
    }
    return true;
}

static bool parse_scratch(Options *options, const char *text) {
    char *end;
    uint64_t bytes;
    unsigned long index = strtoul(text, &end, 10);
    if (end == text || *end != '=' || index >= SIMT_BUFFERS)
        return refuse_index("--threadgroup-memory", text, SIMT_BUFFERS);
    if (!parse_number("--threadgroup-memory", end + 1, 1, SIMT_THREADGROUP_BYTES, &bytes))
        return false;
    options->scratch[index] = bytes;
    return true;
}

static bool parse_unordered(Options *options, const char *text) {
    uint64_t index;
    if (!parse_number("--unordered", text, 0, SIMT_BUFFERS - 1, &index)) return false;
    options->bindings[index].unordered = true;
    return true;
}

/* "N=FILE", "texture:N=FILE", "N.member=FILE" */
static bool parse_output(Options *options, const char *text) {
    static const char prefix[] = "texture:";
    bool is_texture = !strncmp(text, prefix, strlen(prefix));
    const char *path;
    Binding *binding = parse_target(options, "-o", is_texture ? prefix : "",
                                    is_texture ? SIMT_TEXTURES : SIMT_BUFFERS,
                                    text + (is_texture ? strlen(prefix) : 0), &path);
    if (binding) binding->output = path;
    return binding != NULL;
}

/* A number, true or false; for a vector several. */
static bool is_constant(const char *value) {
    for (;; value++) {
        char *end;
        size_t length = strcspn(value, ",");
        strtod(value, &end);
        if (end != value && (*end == 'f' || *end == 'u')) end++;
        bool word = (length == 4 && !strncmp(value, "true", 4)) ||
                    (length == 5 && !strncmp(value, "false", 5));
        if (!word && (end == value || end != value + length)) return false;
        value += length;
        if (!*value) return true;
    }
}

/* Any index is one. */
static bool parse_constant(Options *options, const char *text) {
    char *end;
    unsigned long index = strtoul(text, &end, 10);
    if (end == text || *end != '=' || index > UINT16_MAX)
        return report_failure("--constant %s: write it as INDEX=VALUE, with an index from 0 to %d",
                              text, UINT16_MAX);
    if (!is_constant(end + 1))
        return report_failure("--constant %s: the value must be a number, true or false", text);
    size_t i = 0;
    while (i < options->program.constant_count && options->constants[i].index != index)
        i++;
    if (i == CONSTANTS) return report_failure("more than %d --constant", CONSTANTS);
    options->constants[i] = (ConstantValue){(unsigned)index, end + 1};
    if (i == options->program.constant_count) options->program.constant_count++;
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
    if (!is_rule(rule))
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
    GROUPS,
    BUFFER,
    BYTES,
    TEXTURE,
    SAMPLER,
    CONSTANT,
    SCRATCH,
    SIMD_WIDTH,
    SEEDS,
    SEED,
    UNORDERED,
    SUPPRESS,
    STRICT,
    COVERAGE,
    JSON,
    NO_ISOLATION,
    CACHE,
    TIME_LIMIT,
    INCLUDE,
    LIST,
    HELP,
} Option;

static const struct option long_options[] = {
    {"kernel", required_argument, NULL, KERNEL},
    {"grid", required_argument, NULL, GRID},
    {"threads", required_argument, NULL, THREADS},
    {"groups", required_argument, NULL, GROUPS},
    {"buffer", required_argument, NULL, BUFFER},
    {"bytes", required_argument, NULL, BYTES},
    {"texture", required_argument, NULL, TEXTURE},
    {"sampler", required_argument, NULL, SAMPLER},
    {"constant", required_argument, NULL, CONSTANT},
    {"threadgroup-memory", required_argument, NULL, SCRATCH},
    {"simd-width", required_argument, NULL, SIMD_WIDTH},
    {"seeds", required_argument, NULL, SEEDS},
    {"seed", required_argument, NULL, SEED},
    {"unordered", required_argument, NULL, UNORDERED},
    {"suppress", required_argument, NULL, SUPPRESS},
    {"strict", no_argument, NULL, STRICT},
    {"coverage", optional_argument, NULL, COVERAGE},
    {"json", no_argument, NULL, JSON},
    {"no-isolation", no_argument, NULL, NO_ISOLATION},
    {"cache", required_argument, NULL, CACHE},
    {"time-limit", required_argument, NULL, TIME_LIMIT},
    {"include", required_argument, NULL, INCLUDE},
    {"list", no_argument, NULL, LIST},
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
    case GROUPS:
        return parse_size("--groups", optarg, &options->groups);
    case BUFFER:
        return parse_binding(options, "--buffer", "", SIMT_BUFFERS, optarg);
    case BYTES:
        return parse_binding(options, "--bytes", "", SIMT_BUFFERS, optarg);
    case TEXTURE:
        return parse_binding(options, "--texture", "texture:", SIMT_TEXTURES, optarg);
    case SAMPLER:
        return parse_binding(options, "--sampler", "sampler:", SIMT_SAMPLERS, optarg);
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
    case UNORDERED:
        return parse_unordered(options, optarg);
    case SUPPRESS:
        return add_rule(options, optarg);
    case STRICT:
        options->strict = true;
        return true;
    case COVERAGE:
        options->program.coverage = true;
        options->lcov = optarg;
        return true;
    case NO_ISOLATION:
        options->isolated = false;
        return true;
    case CACHE:
        options->program.cache = optarg;
        return true;
    case JSON:
        options->json = true;
        return true;
    case LIST:
        options->list = true;
        return true;
    case INCLUDE:
        return add_flag(options, "-include", optarg);
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

/* -include is an option of compilers, which have but one dash. */
static void lengthen_include(int count, char **arguments) {
    static char include[] = "--include";
    for (int i = 1; i < count && strcmp(arguments[i], "--"); i++)
        if (!strcmp(arguments[i], include + 1)) arguments[i] = include;
}

bool options_sizes_are_given(const Options *options) {
    if (!options->grid.x)
        report_failure("--grid X,Y,Z is needed: the threads of the whole grid; or --groups X,Y,Z");
    if (!options->threads.x)
        report_failure("--threads X,Y,Z is needed: the threads of a threadgroup");
    return options->grid.x && options->threads.x;
}

/* Threadgroups become threads. */
static bool apply_groups(Options *options) {
    const SimtSize *groups = &options->groups, *threads = &options->threads;
    if (!groups->x) return true;
    if (options->grid.x) return report_failure("--grid and --groups: one of the two is enough");
    if (!threads->x) return report_failure("--threads X,Y,Z is needed: the threads of each group");
    uint64_t x = (uint64_t)groups->x * threads->x, y = (uint64_t)groups->y * threads->y,
             z = (uint64_t)groups->z * threads->z;
    if (x > UINT32_MAX || y > UINT32_MAX || z > UINT32_MAX)
        return report_failure("--groups: a grid has no more than %u threads each way", UINT32_MAX);
    options->grid = (SimtSize){(unsigned)x, (unsigned)y, (unsigned)z};
    return true;
}

bool options_parse(Options *options, int count, char **arguments) {
    *options = (Options){
        .program = {.simd_width = 32}, .seeds = 4, .seconds = SECONDS, .seed = 1, .isolated = true};
    options->program.flags = options->flags;
    for (unsigned i = 0; i < SIMT_BUFFERS; i++, options->binding_count++)
        snprintf(options->bindings[i].target, TARGET_BYTES, "%u", i);
    options->program.constants = options->constants;
    lengthen_include(count, arguments);
    for (int option;
         (option = getopt_long(count, arguments, "D:I:o:", long_options, NULL)) != -1;) {
        if (option == HELP) {
            fputs(usage, stdout);
            exit(fflush(stdout) == 0 ? CLEAN : CANNOT);
        }
        if (!set_option(options, option)) return false;
    }
    if (optind + 1 != count)
        return report_failure("one .metal file is needed; see metal-check --help");
    options->program.path = arguments[optind];
    if (options->list) return true;
    if (!apply_groups(options)) return false;
    if (!options->program.kernel) {
        options_sizes_are_given(options);
        return report_failure("--kernel NAME is needed; --list tells the kernels of a file");
    }
    return read_contents(options);
}

void options_free(Options *options) {
    for (size_t i = 0; i < options->binding_count; i++)
        free(options->bindings[i].array.data);
}
