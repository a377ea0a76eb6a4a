/* driver.c — the GPU itself: its properties, memory and kernels. */
#include "stand_in.h"

#include "device/device_target.h"
#include "device/kernel.h"
#include "simt/simt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MULTIPROCESSORS = 4,
    MOST_THREADS = 1024,
    MOST_SHARED_BYTES = 48 << 10,
    SCRATCHES = 4,
    LANES = 32,
};

extern simt_entry *const simt_entries[]; /* in the order of kernel_table */

struct CUctx_st {
    unsigned retained;
};

/* A file of kernels. */
struct CUmod_st {
    char file[128];
    bool takes_partial; /* simdgroups */
};

struct CUfunc_st {
    const Kernel *kernel;
    bool takes_partial;
};

static struct CUctx_st context;
static _Thread_local CUcontext current;
static _Thread_local bool refused; /* this thread was, when it asked for its context */

/* --- the machine --- */

int cuInit(unsigned flags) {
    CALL();
    return flags ? CUDA_ERROR_INVALID_VALUE : 0;
}

int cuDriverGetVersion(int *version) {
    CALL();
    *version = 13000;
    return 0;
}

int cuGetErrorString(int result, const char **text) {
    CALL();
    static char said[32];
    snprintf(said, sizeof said, "error %d", result);
    *text = said;
    return 0;
}

int cuDeviceGetCount(int *count) {
    CALL();
    *count = stand_in_setting("CUDA_STAND_IN_GPUS", 1);
    return 0;
}

int cuDeviceGet(int *device, int ordinal) {
    CALL();
    *device = ordinal;
    return 0;
}

int cuDeviceGetName(char *name, int size, int device) {
    CALL();
    snprintf(name, (size_t)size, "stand-in %d", device);
    return 0;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    CALL();
    int architecture = stand_in_setting("CUDA_STAND_IN_ARCHITECTURE", 90);
    switch (attribute) {
    case CUDA_ATTRIBUTE_MULTIPROCESSORS:
        *value = stand_in_setting("CUDA_STAND_IN_MULTIPROCESSORS", MULTIPROCESSORS);
        return device;
    case CUDA_ATTRIBUTE_MAJOR:
        *value = architecture / 10;
        return device;
    case CUDA_ATTRIBUTE_MINOR:
        *value = architecture % 10;
        return device;
    }
    stand_in_complain("an attribute of the device: %d", attribute);
}

int cuDevicePrimaryCtxRetain(CUcontext *retained, int device) {
    CALL();
    context.retained++;
    *retained = &context;
    return device;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
    CALL();
    if (context.retained-- == 0) stand_in_complain("a context is released that nobody has");
    return device;
}

int cuCtxSetCurrent(CUcontext wanted) {
    refused = true;
    CALL();
    refused = false;
    current = wanted;
    return 0;
}

bool stand_in_context_refused(void) {
    return refused && !current;
}

void stand_in_need_context(const char *function) {
    if (!current || !context.retained) stand_in_complain("%s without a context", function);
}

/* --- memory --- */

int cuMemGetInfo_v2(size_t *unused, size_t *total) {
    CALL_IN_CONTEXT();
    *total = (size_t)stand_in_setting("CUDA_STAND_IN_MEBIBYTES", 2048) << 20;
    *unused = *total / 2;
    return 0;
}

int cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
    CALL_IN_CONTEXT();
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    *address = (uintptr_t)stand_in_new("memory", bytes);
    return 0;
}

/* CUDA ends all work first. */
int cuMemFree_v2(CUdeviceptr address) {
    CALL_IN_CONTEXT();
    stand_in_finish();
    stand_in_free("memory", (void *)(uintptr_t)address);
    return 0;
}

typedef struct Copy {
    void *to;
    const void *from;
    size_t bytes;
} Copy;

static void run_copy(const void *data) {
    const Copy *copy = data;
    memcpy(copy->to, copy->from, copy->bytes);
}

int cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream on) {
    CALL_IN_CONTEXT();
    Copy copy = {stand_in_memory(to, bytes, __func__), from, bytes};
    stand_in_queue(on, run_copy, &copy, sizeof copy);
    return 0;
}

int cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream on) {
    CALL_IN_CONTEXT();
    Copy copy = {to, stand_in_memory(from, bytes, __func__), bytes};
    stand_in_queue(on, run_copy, &copy, sizeof copy);
    return 0;
}

/* --- kernels --- */

/* What nvrtc.c makes: "\x7fELF file w", where w is W for whole simdgroups and P for partial ones.
 */
int cuModuleLoadData(CUmodule *module, const void *code) {
    CALL_IN_CONTEXT();
    struct CUmod_st loaded;
    char simdgroups;
    if (sscanf(code,
               "\x7f"
               "ELF %127s %c",
               loaded.file, &simdgroups) != 2 &&
        sscanf(code, ".version %127s %c", loaded.file, &simdgroups) != 2)
        return CUDA_ERROR_INVALID_IMAGE;
    loaded.takes_partial = simdgroups == 'P';
    *module = stand_in_new("module", sizeof **module + kernel_count * sizeof(struct CUfunc_st));
    **module = loaded;
    return 0;
}

int cuModuleUnload(CUmodule module) {
    CALL_IN_CONTEXT();
    stand_in_finish();
    stand_in_free("module", module);
    return 0;
}

/* The functions of a module lie behind it. */
int cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    CALL_IN_CONTEXT();
    stand_in_need("module", module);
    for (size_t i = 0; i < kernel_count; i++) {
        const Kernel *kernel = &kernel_table[i];
        if (strncmp(name, "metal_", 6) || strcmp(name + 6, kernel->name) ||
            strcmp(module->file, kernel->file))
            continue;
        *function = (struct CUfunc_st *)(void *)(module + 1) + i;
        **function = (struct CUfunc_st){kernel, module->takes_partial};
        return 0;
    }
    return CUDA_ERROR_NOT_FOUND;
}

int cuFuncGetAttribute(int *value, int attribute, CUfunction function) {
    CALL_IN_CONTEXT();
    if (attribute != CUDA_FUNCTION_MAX_THREADS || !function->kernel)
        stand_in_complain("an attribute of a function: %d", attribute);
    *value = stand_in_setting("CUDA_STAND_IN_MOST_THREADS", MOST_THREADS);
    return 0;
}

/* Arguments and Prefetch, as msl/cuda/metal_stdlib declares them. */
typedef struct Arguments {
    uint64_t slot[COMMAND_ARGUMENTS];
    uint32_t scratch[SCRATCHES];
} Arguments;
typedef struct Prefetch {
    CUdeviceptr start;
    uint64_t bytes, share;
} Prefetch;

typedef struct Launch {
    const Kernel *kernel;
    SimtSize threads, group_threads;
    unsigned shared_bytes;
    Arguments arguments;
} Launch;

static Simt *simt;

__attribute__((destructor)) static void end(void) {
    simt_free(simt);
    if (context.retained) stand_in_complain("a context was not released");
}

/* The next one begins, or shared memory ends. */
static size_t scratch_bytes(const Launch *launch, uint32_t index) {
    uint32_t start = launch->arguments.scratch[index % SCRATCHES], end = launch->shared_bytes;
    for (uint32_t i = 0; i < SCRATCHES; i++) {
        uint32_t other = launch->arguments.scratch[i];
        if (other > start && other < end) end = other;
    }
    return end - start;
}

static void run_launch(const void *data) {
    const Launch *launch = data;
    void *arguments[SIMT_BUFFERS] = {0};
    size_t scratch[SIMT_BUFFERS] = {0};
    for (uint32_t i = 0; i < launch->kernel->parameter_count; i++) {
        const KernelParameter *parameter = &launch->kernel->parameters[i];
        const uint64_t *slot = &launch->arguments.slot[parameter->index];
        if (parameter->kind == PARAMETER_THREADGROUP)
            scratch[parameter->index] = scratch_bytes(launch, parameter->index);
        else if (parameter->kind == PARAMETER_CONSTANT)
            arguments[parameter->index] = (void *)(uintptr_t)slot;
        else
            arguments[parameter->index] = stand_in_memory(*slot, 1, launch->kernel->name);
    }
    static unsigned long long seed;
    SimtLaunch run = {.kernel = launch->kernel->name,
                      .entry = simt_entries[launch->kernel - kernel_table],
                      .threads = launch->threads,
                      .group_threads = launch->group_threads,
                      .arguments = arguments,
                      .scratch = scratch,
                      .simd_width = LANES,
                      .seed = seed++};
    char error[256];
    if (!simt) simt = simt_new();
    if (!simt_run(simt, &run, error, sizeof error)) stand_in_complain("%s", error);
}

static void check_launch(const CUlaunchConfig *config, const struct CUfunc_st *function) {
    const char *name = function->kernel->name;
    const unsigned *grid = config->grid, *block = config->block;
    if (block[0] == 0 || block[1] != 1 || block[2] != 1 ||
        block[0] > (unsigned)stand_in_setting("CUDA_STAND_IN_MOST_THREADS", MOST_THREADS))
        stand_in_complain("%s: a block of %u × %u × %u", name, block[0], block[1], block[2]);
    if (!grid[0] || !grid[1] || !grid[2] || grid[0] > INT32_MAX || grid[1] > UINT16_MAX ||
        grid[2] > UINT16_MAX)
        stand_in_complain("%s: a grid of %u × %u × %u", name, grid[0], grid[1], grid[2]);
    if (config->shared_bytes > MOST_SHARED_BYTES)
        stand_in_complain("%s: %u bytes of shared memory", name, config->shared_bytes);
    if (block[0] % LANES && !function->takes_partial)
        stand_in_complain("%s: %u threads of a build for whole simdgroups", name, block[0]);
    int architecture = stand_in_setting("CUDA_STAND_IN_ARCHITECTURE", 90);
    for (unsigned i = 0; i < config->attribute_count; i++)
        if (config->attributes[i].id != CUDA_LAUNCH_PROGRAMMATIC_SERIALIZATION || architecture < 90)
            stand_in_complain("%s: the attribute %d of a launch on sm_%d", name,
                              config->attributes[i].id, architecture);
}

int cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters,
                     void **extra) {
    CALL_IN_CONTEXT();
    check_launch(config, function);
    const Prefetch *prefetch = parameters[1];
    if (extra) stand_in_complain("extra parameters of a launch");
    if (prefetch->bytes) stand_in_memory(prefetch->start, prefetch->bytes, function->kernel->name);
    const unsigned *grid = config->grid, threads = config->block[0];
    Launch launch = {.kernel = function->kernel,
                     .threads = {grid[0] * threads, grid[1], grid[2]},
                     .group_threads = {threads, 1, 1},
                     .shared_bytes = config->shared_bytes,
                     .arguments = *(const Arguments *)parameters[0]};
    stand_in_queue(config->stream, run_launch, &launch, sizeof launch);
    return 0;
}
