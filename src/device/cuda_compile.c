#include "cuda_compile.h"

#include "bind/bind.h"
#include "cuda_cache.h"
#include "cuda_library.h"
#include "hash.h"
#include "kernel_sources.h"
#include "thread_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* msl/cuda/ and msl/common/, embedded by the binder. */
extern const KernelSource cuda_headers[];
extern const size_t cuda_header_count;
/* msl/cuda/parts/ */
extern const KernelSource cuda_parts[];
extern const size_t cuda_part_count;

enum { MAX_HEADERS = 32 };

/* After the two that depend on the compilation. Warnings about what is Metal's way are left out:
 * pragmas for clang, [[attributes]], literals without underscore, comparisons in templates,
 * functions that a file doesn't use. With at most 128 registers to a thread, a multiprocessor has
 * room for 512 threads of any kernel. */
static const char *const fixed_options[] = {
    "-default-device", "-std=c++17",        "-device-int128",
    "-lineinfo",       "-maxrregcount=128", "-diag-suppress=161,177,186,550,1097,2361"};
enum { OPTION_COUNT = 2 + sizeof fixed_options / sizeof *fixed_options };

/* One file on its way to code. */
typedef struct Compilation {
    const CUDACompiler *nvrtc;
    const char *file;
    char *source; /* C++, as the binder writes it */
    char architecture[32];
    const char *options[OPTION_COUNT];
    bool is_ptx;
    LLMError *error;
} Compilation;

char *cuda_source_text(const char *folder, const char *file, LLMError *error) {
    return kernel_source_text(folder, file, &(KernelParts){cuda_parts, cuda_part_count}, error);
}

static char *written_source(const BoundFile *bound, LLMError *error) {
    char *source = NULL;
    size_t size;
    FILE *memory = open_memstream(&source, &size);
    if (!memory) return error_memory(error, bound->size);
    bind_write_source(bound, memory);
    bool failed = ferror(memory) != 0;
    failed = fclose(memory) != 0 || failed;
    if (!failed && source) return source;
    free(source);
    return error_memory(error, bound->size);
}

/* The source that NVRTC takes, to be freed by the caller. */
static char *bound_source(const char *file, const char *text, LLMError *error) {
    BoundFile bound;
    char *source = NULL;
    if (bind_read(&bound, file, text, strlen(text)))
        source = written_source(&bound, error);
    else
        error_set(error, LLM_ERROR_DEVICE, "%s", bound.error);
    bind_free(&bound);
    return source;
}

/* -arch=sm_90, or compute_90 where the GPU is newer than the compiler. */
static bool choose_architecture(Compilation *compilation, int wanted) {
    const CUDACompiler *nvrtc = compilation->nvrtc;
    int known[128], count = 0, best = 0;
    if (nvrtc->nvrtcGetNumSupportedArchs(&count) || count > 128 ||
        nvrtc->nvrtcGetSupportedArchs(known))
        count = 0;
    for (int i = 0; i < count; i++)
        if (known[i] <= wanted && known[i] > best) best = known[i];
    if (best == 0)
        return error_set(compilation->error, LLM_ERROR_DEVICE,
                         "NVRTC cannot compile for this GPU (sm_%d): install another version",
                         wanted);
    compilation->is_ptx = best / 10 != wanted / 10;
    snprintf(compilation->architecture, sizeof compilation->architecture, "-arch=%s_%d",
             compilation->is_ptx ? "compute" : "sm", best);
    return true;
}

static void choose_options(Compilation *compilation, bool partial_simdgroups) {
    compilation->options[0] = compilation->architecture;
    compilation->options[1] =
        partial_simdgroups ? "-DMSL_PARTIAL_SIMDGROUPS" : "-DMSL_WHOLE_SIMDGROUPS";
    memcpy(&compilation->options[2], fixed_options, sizeof fixed_options);
}

static CacheKey cache_key(const Compilation *compilation) {
    int version[2] = {0, 0};
    compilation->nvrtc->nvrtcVersion(&version[0], &version[1]);
    char described[64 * OPTION_COUNT];
    int length = snprintf(described, sizeof described, "%d.%d", version[0], version[1]);
    for (int i = 0; i < OPTION_COUNT; i++)
        length += snprintf(described + length, sizeof described - (size_t)length, " %s",
                           compilation->options[i]);
    CacheKey key = {hash_bytes(described, (size_t)length), 0};
    for (size_t i = 0; i < cuda_header_count; i++)
        key.first = key.first * 31 + hash_bytes(cuda_headers[i].text, strlen(cuda_headers[i].text));
    uint64_t source = hash_bytes(compilation->source, strlen(compilation->source));
    key.second = key.first + source * 0x9E3779B97F4A7C15u;
    key.first ^= source;
    return key;
}

/* The first line of the log that speaks of an error. */
static void report(const Compilation *compilation, nvrtcProgram program) {
    size_t size = 0;
    char *log = NULL;
    if (!compilation->nvrtc->nvrtcGetProgramLogSize(program, &size) && size > 1)
        log = calloc(1, size + 1);
    if (log) compilation->nvrtc->nvrtcGetProgramLog(program, log);
    char *line = log ? strstr(log, "error") : NULL;
    while (line && line > log && line[-1] != '\n')
        line--;
    if (line) line[strcspn(line, "\n")] = 0;
    error_set(compilation->error, LLM_ERROR_DEVICE, "NVRTC cannot compile %s: %s",
              compilation->file, line ? line : "it gave no message");
    free(log);
}

static void *take_code(const Compilation *compilation, nvrtcProgram program, size_t *size) {
    const CUDACompiler *nvrtc = compilation->nvrtc;
    int failed = compilation->is_ptx ? nvrtc->nvrtcGetPTXSize(program, size)
                                     : nvrtc->nvrtcGetCUBINSize(program, size);
    char *code = failed ? NULL : malloc(*size);
    if (!code) return error_memory(compilation->error, *size);
    if (compilation->is_ptx)
        nvrtc->nvrtcGetPTX(program, code);
    else
        nvrtc->nvrtcGetCUBIN(program, code);
    return code;
}

static void *compile(const Compilation *compilation, size_t *size) {
    const CUDACompiler *nvrtc = compilation->nvrtc;
    const char *texts[MAX_HEADERS], *names[MAX_HEADERS];
    for (size_t i = 0; i < cuda_header_count && i < MAX_HEADERS; i++) {
        texts[i] = cuda_headers[i].text;
        names[i] = cuda_headers[i].file;
    }
    nvrtcProgram program;
    if (nvrtc->nvrtcCreateProgram(&program, compilation->source, compilation->file,
                                  (int)cuda_header_count, texts, names))
        return error_memory(compilation->error, strlen(compilation->source));
    void *code = NULL;
    if (nvrtc->nvrtcCompileProgram(program, OPTION_COUNT, compilation->options))
        report(compilation, program);
    else
        code = take_code(compilation, program, size);
    nvrtc->nvrtcDestroyProgram(&program);
    return code;
}

void *cuda_compile(const char *file, const char *text, int architecture, bool partial_simdgroups,
                   size_t *size, LLMError *error) {
    Compilation compilation = {.nvrtc = cuda_compiler(error), .file = file, .error = error};
    if (!compilation.nvrtc || !choose_architecture(&compilation, architecture)) return NULL;
    choose_options(&compilation, partial_simdgroups);
    compilation.source = bound_source(file, text, error);
    if (!compilation.source) return NULL;
    CacheKey key = cache_key(&compilation);
    void *code = cuda_cache_read(key, size);
    if (!code) {
        code = compile(&compilation, size);
        if (code) cuda_cache_write(key, code, *size);
    }
    free(compilation.source);
    return code;
}

/* --- all files --- */

typedef struct Ahead {
    const char *folder;
    int architecture;
} Ahead;

/* The files that begin with these kernels. */
static void compile_files(void *context, uint32_t job, uint32_t begin, uint32_t end) {
    (void)job;
    const Ahead *ahead = context;
    for (uint32_t i = begin; i < end; i++) {
        const char *file = kernel_table[i].file;
        if (i > 0 && !strcmp(file, kernel_table[i - 1].file)) continue;
        LLMError error = {0};
        size_t size;
        char *text = cuda_source_text(ahead->folder, file, &error);
        if (text) free(cuda_compile(file, text, ahead->architecture, false, &size, &error));
        free(text);
    }
}

bool cuda_compile_ahead(const char *folder, int architecture) {
    if (!cuda_cache_is_writable()) return false;
    LLMError error = {0};
    ThreadPool *pool = thread_pool_new(0, &error);
    uint32_t count = (uint32_t)kernel_count;
    bool done =
        pool && thread_pool_threads(pool) > 1 &&
        thread_pool_run(pool, 1, &count, compile_files, &(Ahead){folder, architecture}, &error);
    thread_pool_free(pool);
    return done;
}
