#include "program.h"
#include "cache.h"
#include "diagnostics.h"
#include "headers.h"
#include "list.h"
#include "process.h"
#include "reach.h"
#include "report.h"
#include "source.h"

#include "hash.h"
#include "messages.h"
#include "strict.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLAGS = 192, PATH_BYTES = 512, SHOWN_KERNELS = 32 };

extern const KernelSource simt_headers[]; /* the SIMT target's headers and flags, embedded */
extern const size_t simt_header_count;
extern const KernelSource strict_headers[]; /* those of the strict check */
extern const size_t strict_header_count;
extern char **environ;

/* --- the temporary folder --- */

/* Metal's headers. While a file's own macros and headers are expanded they are empty; all of the
 * language comes from <metal_stdlib>. */
static const char *const parts[] = {
    "metal_stdlib",    "metal_atomic",           "metal_common",    "metal_compute",
    "metal_geometric", "metal_integer",          "metal_math",      "metal_matrix",
    "metal_pack",      "metal_relational",       "metal_simdgroup", "metal_types",
    "metal_uniform",   "metal_simdgroup_matrix", "metal_limits",    "metal_numeric",
    "metal_array",     "metal_type_traits",      "metal_utility",   "metal_logging",
    "metal_texture",   "metal_graphics",         "metal_assert",    "metal_quadgroup",
    "metal_config",    "metal_extended_vector",  "metal_convert",   "simd/simd.h",
};

/* What Apple's own header of that name says of a Mac. */
static const char *const target_conditions = "#define TARGET_OS_MAC 1\n"
                                             "#define TARGET_OS_OSX 1\n"
                                             "#define TARGET_OS_IPHONE 0\n"
                                             "#define TARGET_OS_IOS 0\n"
                                             "#define TARGET_OS_TV 0\n"
                                             "#define TARGET_OS_WATCH 0\n"
                                             "#define TARGET_OS_VISION 0\n"
                                             "#define TARGET_OS_MACCATALYST 0\n"
                                             "#define TARGET_OS_SIMULATOR 0\n";

static bool write_file(const char *folder, const char *name, const char *text) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!file) return report_failure("%s cannot be written", path);
    fputs(text, file);
    return close_whole(file) || report_failure("%s cannot be written", path);
}

static bool write_files(const char *folder, const KernelSource *files, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!write_file(folder, files[i].file, files[i].text)) return false;
    return true;
}

static bool make_folder(Program *program) {
    static const char *const folders[] = {"headers", "strict", "strict/simd", "empty",
                                          "empty/simd"};
    const char *temporary = getenv("TMPDIR");
    char path[PATH_BYTES];
    program->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (program->reserve < 0)
        return report_failure("no file can be opened; are there too many (ulimit -n)?");
    snprintf(program->folder, sizeof program->folder, "%s/metal-check-XXXXXX",
             temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(program->folder)) {
        *program->folder = 0;
        return report_failure("no temporary folder; set TMPDIR to one that can be written");
    }
    setenv("TMPDIR", program->folder, 1); /* clang's own files go with it */
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", program->folder, folders[i]);
        if (mkdir(path, 0700) != 0) return report_failure("%s cannot be made", path);
    }
    snprintf(path, sizeof path, "%s/empty", program->folder);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!write_file(path, parts[i], "")) return false;
    if (!write_file(path, "TargetConditionals.h", target_conditions)) return false;
    snprintf(path, sizeof path, "%s/strict", program->folder);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!write_file(path, parts[i], "#include <metal_stdlib>\n")) return false;
    if (!write_files(path, strict_headers, strict_header_count)) return false;
    snprintf(program->headers, sizeof program->headers, "%s/headers", program->folder);
    snprintf(path, sizeof path, "%s/overlay", program->folder);
    return write_files(program->headers, simt_headers, simt_header_count) &&
           (headers_write_overlay(program->headers, path) ||
            report_failure("%s cannot be written", path));
}

/* Something that is in a folder; false if there is nothing, or the folder cannot be opened. */
static bool find_entry(const char *folder, char path[PATH_BYTES]) {
    DIR *directory = opendir(folder);
    struct dirent *entry = NULL;
    do
        entry = directory ? readdir(directory) : NULL;
    while (entry && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")));
    if (entry) snprintf(path, PATH_BYTES, "%s/%s", folder, entry->d_name);
    if (directory) closedir(directory);
    return entry;
}

/* With one folder open at a time: there may be no more descriptors than the reserve. */
static bool remove_folder(const char *folder) {
    char path[PATH_BYTES];
    while (find_entry(folder, path))
        if (unlink(path) != 0 && !remove_folder(path)) return false;
    return rmdir(folder) == 0;
}

/* --- compiling --- */

/* Every variable of the kernel's functions gets an annotation: what it might tell of its address
 * makes clang watch it like shared memory. */
static const char *const prologue =
    "#include <metal_stdlib>\n"
    "#pragma clang attribute push(__attribute__((annotate(\"private\"))), "
    "apply_to = variable(unless(is_parameter)))\n";
static const char *const epilogue = "#pragma clang attribute pop\n";

/* NULL if it has none. */
static const char *find_value(const ProgramOptions *wanted, unsigned index) {
    for (size_t i = 0; i < wanted->constant_count; i++)
        if (wanted->constants[i].index == index) return wanted->constants[i].value;
    return NULL;
}

static bool write_source(const Program *program, const ProgramOptions *wanted) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/kernel.cpp", program->folder);
    FILE *file = fopen(path, "w");
    if (!file) return report_failure("%s cannot be written", path);
    fputs(prologue, file);
    for (size_t i = 0; i < program->file.constant_count; i++) {
        unsigned index = program->file.constants[i].index;
        const char *value = find_value(wanted, index);
        fprintf(file, "#define MSL_VALUE_%u %s\n#define MSL_IS_DEFINED_%u %d\n", index,
                value ? value : "0", index, value != NULL);
    }
    bool written = bind_write_kernel(&program->file, program->kernel, file);
    fputs(epilogue, file);
    return (close_whole(file) && written) || report_failure("%s cannot be written", path);
}

static const char *find_clang(void) {
    static const char *const names[] = {"clang++-19", "clang++-18", "clang++-17",
                                        "clang++-16", "clang++-15", "clang++"};
    static char path[PATH_BYTES];
    const char *chosen = getenv("CLANGXX");
    if (chosen && *chosen) return chosen;
    const char *folders = getenv("PATH");
    for (size_t i = 0; folders && i < sizeof names / sizeof *names; i++) {
        for (const char *folder = folders; *folder;) {
            int length = (int)strcspn(folder, ":");
            snprintf(path, sizeof path, "%.*s/%s", length, folder, names[i]);
            if (access(path, X_OK) == 0) return path;
            folder += length + (folder[length] == ':');
        }
    }
    return NULL;
}

typedef struct Command {
    const char *words[FLAGS];
    size_t count;
} Command;

static void add(Command *command, const char *const *words, size_t count) {
    for (size_t i = 0; i < count && command->count < FLAGS - 1; i++)
        command->words[command->count++] = words[i];
}

#define ADD(command, ...)                                                                          \
    add(command, (const char *const[]){__VA_ARGS__},                                               \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void add_flags(Command *command, const ProgramOptions *wanted) {
    for (char *const *flag = wanted->flags; *flag; flag++)
        ADD(command, *flag);
}

/* clang with what both of its runs have in common. False if there is none. */
static bool start_command(Command *command, const char *width) {
    const char *clang = find_clang();
    if (!clang)
        return report_failure("no clang++ (15 or later) in PATH; install one, or set CLANGXX");
    ADD(command, clang, width, "-x", "c++");
    return true;
}

/* What clang says of the file goes to stderr in the file's own words. */
static bool end_command(const Program *program, int status, const char *log, const char *path) {
    if (process_was_interrupted()) return false;
    if (status < 0) return report_failure("clang++ cannot be run");
    FILE *messages = status ? fopen(log, "r") : NULL;
    if (messages) {
        diagnostics_print(messages, program->folder, stderr);
        fclose(messages);
    }
    unlink(log);
    return status == 0 || report_failure("%s does not compile", path);
}

/* The lines that name the empty headers would make each run's text another. */
static void hide_folder(char *text, size_t size, const char *folder) {
    size_t length = strlen(folder);
    for (char *at = text; (at = memmem(at, size - (size_t)(at - text), folder, length));)
        memset(at, '-', length);
}

/* A name that the lines would break in which clang tells it: such a file is standard input. */
static bool is_odd(const char *path) {
    return strpbrk(path, "\"\\\n");
}

/* The file with its macros and its own headers expanded, in program->text. */
static bool expand(Program *program, const ProgramOptions *wanted, const char *width,
                   size_t *size) {
    char include[PATH_BYTES], output[PATH_BYTES], log[PATH_BYTES];
    snprintf(log, sizeof log, "%s/messages", program->folder);
    snprintf(include, sizeof include, "-I%s/empty", program->folder);
    snprintf(output, sizeof output, "%s/kernel.ii", program->folder);
    Command command = {.count = 0};
    if (!start_command(&command, width)) return false;
    add_flags(&command, wanted);
    ADD(&command, "-D__METAL__=1", "-D__METAL_VERSION__=320", "-D__HAVE_BFLOAT__=1", "-E",
        "-nostdinc", "-fno-caret-diagnostics", include, "-o", output);
    const char *path = wanted->path;
    char name[PATH_BYTES + 2];
    if (is_odd(path)) {
        int folder = strrchr(path, '/') ? (int)(strrchr(path, '/') - path) : 0;
        snprintf(name, sizeof name, folder ? "-I%.*s" : "-I.", folder, path);
        ADD(&command, name, "-");
    } else {
        bool is_dash = *path == '-' && path[1]; /* no option */
        snprintf(name, sizeof name, is_dash ? "./%s" : "%s", path);
        ADD(&command, name);
    }
    int status =
        process_run((char *const *)(uintptr_t)command.words, is_odd(path) ? path : NULL, NULL, log);
    if (!end_command(program, status, log, wanted->path)) return false;
    program->text = bind_load(output, size);
    if (program->text) hide_folder(program->text, *size, program->folder);
    if (program->text) source_leave_out_advice(program->text);
    return program->text || report_failure("%s cannot be read", output);
}

/* A SIMD_WIDTH of the file's own, which ours makes `constant uint 32 = 32`, keeps another name. */
static bool expand_names(Program *program, const ProgramOptions *wanted, const char *width,
                         size_t *size) {
    if (!expand(program, wanted, width, size)) return false;
    if (!source_declares(program->text, strchr(width, '=') + 1)) return true;
    free(program->text);
    program->text = NULL;
    return expand(program, wanted, "-DSIMD_WIDTH=own_SIMD_WIDTH", size);
}

/* No optimisation: every access of the source is made, in its own line. The address sanitizer
 * writes nothing but calls, also for variables on the stack, and the entry of every function is one
 * more. */
static const char *const options[] = {
    "-fPIC",
    "-w",
    "-O0",
    "-fno-exceptions",
    "-fdeclspec",
    "-fclang-abi-compat=14", /* Metal's vectors can be packed, although they are classes here */
    "-gdwarf-aranges",
    ("-fdebug-compilation-dir=" SYMBOLS_FOLDER),
    "-fsanitize=kernel-address,array-bounds,alignment,shift-exponent",
    "-fno-sanitize-link-runtime",
    "-finstrument-functions-after-inlining",
    "-DMSL_PREFIX=simt",
    "-DMSL_WATCH_ATOMICS",
    "-fno-caret-diagnostics",
#if defined(__x86_64__)
    /* Each operation on half is rounded. Before clang 16 and elsewhere it is anyway. */
    "-fexcess-precision=16",
#endif
};
/* As in SYCL pointers into different address spaces have different types, which all become pointers
 * into none. */
static const char *const space_options[] = {"-DMSL_SPACES", "-Xclang", "-fsycl-is-device"};
/* A flag for each piece of code without a branch. */
static const char *const coverage_options[] = {
    "-fsanitize-coverage=bb,no-prune,inline-bool-flag,pc-table",
};
static const char *const sanitizer_options[] = {
    "-asan-memory-access-callback-prefix=msl_",
    "-asan-kernel-mem-intrinsic-prefix",
    "-asan-instrumentation-with-call-threshold=0",
    "-asan-opt=0",
    "-asan-stack=0",
    "-asan-globals=0",
    "-asan-use-stack-safety=0",
    "-asan-instrument-atomics=0",
};
enum {
    OPTIONS = sizeof options / sizeof *options,
    SPACE_OPTIONS = sizeof space_options / sizeof *space_options,
    SANITIZER_OPTIONS = sizeof sanitizer_options / sizeof *sanitizer_options,
};

/* What is compiled, and what comes of it. */
typedef struct Compilation {
    const char *source, *output, *log;
    const char *precompiled; /* <metal_stdlib>; NULL: it is read */
    bool header, spaces, coverage;
    bool packs; /* members may lie anywhere, and are used where they lie */
} Compilation;

/* The exit status of clang, -1 if it cannot be run; its messages are in the log. */
static int compile_to(const Program *program, const char *width, const Compilation *what) {
    char config[PATH_BYTES], overlay[PATH_BYTES];
    snprintf(config, sizeof config, "%s/flags", program->headers);
    snprintf(overlay, sizeof overlay, "%s/overlay", program->folder);
    Command command = {.count = 0};
    if (!start_command(&command, width)) return -1;
    ADD(&command, "--config", config, "-ivfsoverlay", overlay, "-I" HEADERS);
    if (what->header) ADD(&command, "-x", "c++-header");
    ADD(&command, what->source, "-o", what->output);
    add(&command, options, OPTIONS);
    if (what->spaces) add(&command, space_options, SPACE_OPTIONS);
    if (what->precompiled)
        ADD(&command, "-include-pch", what->precompiled, "-Xclang", "-fno-validate-pch");
    if (what->coverage) add(&command, coverage_options, 1);
    if (what->packs) ADD(&command, "-fno-sanitize=alignment");
    if (!what->header) ADD(&command, "-shared", "-lm");
    for (size_t i = 0; i < SANITIZER_OPTIONS; i++)
        ADD(&command, "-mllvm", sanitizer_options[i]);
    return process_run((char *const *)(uintptr_t)command.words, NULL, NULL, what->log);
}

static uint64_t mix(uint64_t key, const char *text) {
    return (key ^ hash_bytes(text, strlen(text))) * 0x9E3779B97F4A7C15u;
}

/* Stands for all that a compiled kernel depends on but its source. */
static uint64_t compiler_key(const char *width, bool coverage) {
    const char *clang = find_clang();
    uint64_t key = mix(headers_key(clang ? clang : ""), width);
    if (coverage) key = mix(key, coverage_options[0]);
    for (size_t i = 0; i < OPTIONS; i++)
        key = mix(key, options[i]);
    for (size_t i = 0; i < SANITIZER_OPTIONS; i++)
        key = mix(key, sanitizer_options[i]);
    return key;
}

/* Reading <metal_stdlib> takes most of a small kernel's time: in the cache it is once read for all.
 * False if it has to be read. */
static bool precompile(const Program *program, const ProgramOptions *wanted, const char *width,
                       char path[PATH_BYTES]) {
    char source[PATH_BYTES], output[PATH_BYTES], log[PATH_BYTES];
    LLMError error = {0}; /* the kernel can be kept no better, and says so */
    if (!wanted->cache) return false;
    headers_precompiled(path, PATH_BYTES, wanted->cache, compiler_key(width, false));
    if (cache_wrote(path)) return true;
    unlink(path);
    snprintf(source, sizeof source, "%s/header.h", program->folder);
    snprintf(output, sizeof output, "%s/header.pch", program->folder);
    snprintf(log, sizeof log, "%s/header_messages", program->folder);
    Compilation what = {source, output, log, NULL, .header = true, .spaces = true};
    return write_file(program->folder, "header.h", "#include <metal_stdlib>\n") &&
           compile_to(program, width, &what) == 0 && cache_keep(output, path, &error);
}

/* C++ has no operator that takes `?:` of a vector of its own and of one in an address space, and
 * the like: what cannot be compiled with address spaces is compiled without. */
static bool compile(const Program *program, const ProgramOptions *wanted, const char *width) {
    char source[PATH_BYTES], output[PATH_BYTES], log[PATH_BYTES], other[PATH_BYTES],
        header[PATH_BYTES];
    snprintf(source, sizeof source, "%s/kernel.cpp", program->folder);
    snprintf(output, sizeof output, "%s/kernel.so", program->folder);
    snprintf(log, sizeof log, "%s/messages", program->folder);
    snprintf(other, sizeof other, "%s/other_messages", program->folder);
    bool precompiled = precompile(program, wanted, width, header);
    Compilation with = {.source = source,
                        .output = output,
                        .log = log,
                        .precompiled = precompiled ? header : NULL,
                        .spaces = true,
                        .coverage = wanted->coverage,
                        .packs = source_packs(program->text)};
    Compilation without = with;
    without.log = other;
    without.precompiled = NULL;
    without.spaces = false;
    int status = compile_to(program, width, &with);
    if (status > 0 && compile_to(program, width, &without) == 0) status = 0;
    if (status > 0 && precompiled) { /* what it says of the headers it can say only of read ones */
        unlink(log);
        with.precompiled = NULL;
        status = compile_to(program, width, &with);
    }
    if (!end_command(program, status, log, wanted->path)) return false;
    LLMError error = {0};
    if (wanted->cache)
        return cache_keep(output, program->library, &error) || report_failure("%s", error.message);
    return rename(output, program->library) == 0 ||
           report_failure("%s cannot be written", program->library);
}

/* Made if it is not there. */
static bool find_cache(const char *folder) {
    struct stat status;
    if (mkdir(folder, 0700) == 0) return true;
    if (stat(folder, &status) == 0 && !S_ISDIR(status.st_mode))
        return report_failure("%s is no folder, where compiled kernels could be kept", folder);
    return access(folder, W_OK | X_OK) == 0 || report_failure("%s cannot be written", folder);
}

/* Compile, unless it is in the cache. */
static bool find_library(Program *program, const ProgramOptions *wanted, const char *width) {
    char path[PATH_BYTES];
    size_t size;
    snprintf(path, sizeof path, "%s/kernel.cpp", program->folder);
    char *source = bind_load(path, &size);
    if (!source) return report_failure("%s cannot be read", path);
    snprintf(program->library, sizeof program->library, "%s/%016llx.so",
             wanted->cache ? wanted->cache : program->folder,
             (unsigned long long)mix(compiler_key(width, wanted->coverage), source));
    free(source);
    if (wanted->cache && !find_cache(wanted->cache)) return false;
    if (wanted->cache && cache_wrote(program->library)) return true;
    unlink(program->library);
    return compile(program, wanted, width);
}

static bool write_strict_source(Program *program, const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) return report_failure("%s cannot be written", path);
    fputs("#include <metal_stdlib>\n", file);
    bool written = bind_write_strict(&program->file, file);
    if (!written) report_line(stderr, "%s", program->file.error);
    return (close_whole(file) || report_failure("%s cannot be written", path)) && written;
}

bool program_strict(Program *program, const ProgramOptions *wanted) {
    char config[PATH_BYTES], include[PATH_BYTES], source[PATH_BYTES], output[PATH_BYTES],
        log[PATH_BYTES], width[64];
    snprintf(config, sizeof config, "%s/strict/flags", program->folder);
    snprintf(include, sizeof include, "-I%s/strict", program->folder);
    snprintf(source, sizeof source, "%s/strict.cl", program->folder);
    snprintf(output, sizeof output, "%s/tree.json", program->folder);
    snprintf(log, sizeof log, "%s/messages", program->folder);
    snprintf(width, sizeof width, "-DSIMD_WIDTH=%u", wanted->simd_width);
    if (!write_strict_source(program, source)) return false;
    Command command = {.count = 0};
    ADD(&command, find_clang(), "--config", config, include, width, "-cl-single-precision-constant",
        "-Xclang", "-ast-dump=json", source);
    int status = process_run((char *const *)(uintptr_t)command.words, NULL, output, log);
    FILE *tree = fopen(output, "r"), *messages = fopen(log, "r");
    bool refused = (status != 0 && status != 1) || !tree || !messages; /* 1: there are messages */
    if (messages && strict_messages(messages, stderr)) refused = true;
    if (tree && strict_check(tree) != 0) refused = true;
    if (tree) fclose(tree);
    if (messages) fclose(messages);
    return !refused;
}

/* --- loading --- */

typedef struct Extent {
    uintptr_t base, begin, end;
} Extent;

static int find_extent(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    Extent *extent = argument;
    if (info->dlpi_addr != extent->base) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t end = extent->base + segment->p_vaddr + segment->p_memsz;
        if (segment->p_type == PT_LOAD && end > extent->end) extent->end = end;
    }
    return 1;
}

bool program_load(Program *program) {
    char name[PATH_BYTES];
    const char *path = program->library;
    program->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!program->handle) return report_failure("%s", dlerror());
    snprintf(name, sizeof name, "simt_%s", program->kernel->symbol);
    void *symbol = dlsym(program->handle, name);
    Dl_info info;
    if (!symbol || !dladdr(symbol, &info))
        return report_failure("%s is not in the compiled file", name);
    memcpy(&program->entry, &symbol, sizeof symbol);
    Extent extent = {.base = (uintptr_t)info.dli_fbase};
    dl_iterate_phdr(find_extent, &extent);
    program->begin = info.dli_fbase;
    program->end = program->begin + (extent.end - extent.base);
    return program->end - program->begin <= 1 << 24 ||
           report_failure("%s: too much code", program->file.path);
}

static bool read_symbols(Program *program) {
    program->symbols = symbols_open(program->library, HEADERS "/");
    return program->symbols || report_failure("%s: no debug information", program->library);
}

static bool choose_kernel(Program *program, const char *name) {
    const BoundFile *file = &program->file;
    for (size_t i = 0; i < file->kernel_count; i++)
        if (!strcmp(file->kernels[i].name, name)) program->kernel = &file->kernels[i];
    if (program->kernel && !program->kernel->refused) return true;
    if (program->kernel) {
        report_line(stderr, "%s", program->kernel->refused);
        return false;
    }
    fprintf(stderr, "metal-check: %s has no kernel '%s'; it has", file->path, name);
    for (size_t i = 0; i < file->kernel_count && i < SHOWN_KERNELS; i++)
        fprintf(stderr, "%s %s", i ? "," : "", file->kernels[i].name);
    if (file->kernel_count > SHOWN_KERNELS)
        fprintf(stderr, " and %zu more; see --list", file->kernel_count - SHOWN_KERNELS);
    fputs(file->kernel_count ? "\n" : " none\n", stderr);
    return false;
}

/* The values of all that the kernel may look at must be given, unless the file asks whether they
 * are. */
static bool check_constants(const Program *program, const ProgramOptions *wanted) {
    char path[PATH_BYTES];
    size_t size;
    snprintf(path, sizeof path, "%s/kernel.cpp", program->folder);
    if (strstr(program->text, "is_function_constant_defined")) return true;
    char *source = bind_load(path, &size);
    Reach *reach = source ? reach_new(source, size) : NULL;
    bool given = reach || report_failure("%s cannot be read", path);
    for (size_t i = 0; reach && i < program->file.constant_count; i++) {
        const BoundFunctionConstant *constant = &program->file.constants[i];
        if (!find_value(wanted, constant->index) && reach_has(reach, constant->name))
            given = report_failure(
                "function constant '%s' in line %d needs a value: --constant %u=VALUE",
                constant->name, constant->line, constant->index);
    }
    reach_free(reach);
    free(source);
    return given;
}

static bool read_kernels(Program *program, const ProgramOptions *wanted, const char *width) {
    size_t size;
    bool is_stdin = !strcmp(wanted->path, "-");
    const char *path = is_stdin || is_odd(wanted->path) ? "<stdin>" : wanted->path;
    if (!is_stdin && access(wanted->path, R_OK) != 0)
        return report_failure("%s cannot be read", wanted->path);
    if (!make_folder(program) || !expand_names(program, wanted, width, &size)) return false;
    if (bind_read_some(&program->file, path, program->text, size)) return true;
    report_line(stderr, "%s", program->file.error);
    return false;
}

bool program_open(Program *program, const ProgramOptions *wanted) {
    *program = (Program){0};
    char width[64];
    snprintf(width, sizeof width, "-DSIMD_WIDTH=%u", wanted->simd_width);
    return read_kernels(program, wanted, width) && choose_kernel(program, wanted->kernel) &&
           write_source(program, wanted) && check_constants(program, wanted) &&
           find_library(program, wanted, width) && read_symbols(program);
}

bool program_list(Program *program, const ProgramOptions *wanted, bool json) {
    *program = (Program){0};
    return read_kernels(program, wanted, "-DSIMD_WIDTH=32") &&
           (json ? list_json : list_text)(&program->file, stdout);
}

void program_close(Program *program) {
    symbols_close(program->symbols);
    if (program->handle) dlclose(program->handle);
    if (program->reserve > 0) close(program->reserve);
    if (*program->folder) remove_folder(program->folder);
    bind_free(&program->file);
    free(program->text);
}
