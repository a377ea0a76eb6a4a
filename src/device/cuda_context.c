/* cuda_context.c — NVIDIA GPUs: a threadgroup is a block, a simdgroup a warp.
 *
 * The kernels are compiled when first used (cuda_compile.c) and started on one stream, each as soon
 * as the threadgroups of the one before it have (programmatic dependent launch, see begin() in
 * msl/cuda/metal_stdlib). Matrix products go to cuBLAS, a recorded step becomes a CUDA graph.
 */
#include "cuda_compile.h"
#include "cuda_library.h"
#include "device_target.h"
#include "kernel_sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS = 256,       /* of a threadgroup, for grids of threads and threadgroups */
    GROUP_THREADS = 128, /* for grids of simdgroups */
    MOST_THREADS = 1024, /* where there are fewer threadgroups than multiprocessors */
    LANES = 32,
    SIMDGROUPS = 16,  /* that a multiprocessor runs at once, with the registers of large kernels */
    SUBMISSIONS = 64, /* whose ends can be waited for one by one */
    BLAS_WORKSPACE = 32 << 20,
    SCRATCHES = 4,
    PREFETCH_LEAST = 1 << 16, /* bytes of weights that are worth fetching ahead */
    PREFETCH_MOST = 6 << 20,  /* more of them do not pay: the kernel itself keeps memory busy */
};

typedef struct CUDAKernel {
    CUfunction function; /* NULL until first used */
    int max_threads;     /* of a threadgroup */
} CUDAKernel;

/* All kernels, compiled for whole simdgroups or for a last one that may be partial. */
typedef struct CUDABuild {
    CUDAKernel *kernels; /* in the order of kernel_table */
    CUmodule *modules;   /* in the order of kernel_sources */
} CUDABuild;

typedef struct CUDADevice {
    Device base;
    const CUDADriver *cuda;
    int ordinal, architecture, multiprocessors;
    CUcontext context;
    CUstream stream, copies; /* work; reading while it goes on */
    CUevent ends[SUBMISSIONS];
    CUDABuild builds[2];  /* [1]: with partial simdgroups */
    char *folder;         /* of the kernels\' sources; NULL: those built in */
    const CUDABlas *blas; /* NULL until a product is needed */
    cublasHandle blas_handle;
    CUdeviceptr blas_workspace;
} CUDADevice;

typedef struct CUDABuffer {
    DeviceBuffer base;
    CUdeviceptr address;
    bool is_constant; /* its contents never change */
} CUDABuffer;

/* --- errors --- */

/* True if `result` is success; else the device has failed, `what` says at what. */
static bool check(CUDADevice *device, int result, const char *what) {
    if (result == 0) return true;
    const char *text = NULL;
    device->cuda->cuGetErrorString(result, &text);
    return device_fail(&device->base,
                       result == CUDA_ERROR_OUT_OF_MEMORY ? LLM_ERROR_MEMORY : LLM_ERROR_DEVICE,
                       "cuda: %s: %s", what, text ? text : "unknown error");
}

/* Every thread that calls has to name the context. */
static const CUDADriver *enter(CUDADevice *device) {
    device->cuda->cuCtxSetCurrent(device->context);
    return device->cuda;
}

/* --- open --- */

static int attribute(const CUDADriver *cuda, int ordinal, int name) {
    int value = 0;
    cuda->cuDeviceGetAttribute(&value, name, ordinal);
    return value;
}

static bool find_device(const CUDADriver *cuda, int *ordinal, LLMError *error) {
    int result = cuda->cuInit(0), count = 0;
    if (result) {
        const char *text = NULL;
        cuda->cuGetErrorString(result, &text);
        return error_set(error, LLM_ERROR_DEVICE, "the NVIDIA driver does not start: %s",
                         text ? text : "unknown error");
    }
    if (cuda->cuDeviceGetCount(&count) || count == 0 || cuda->cuDeviceGet(ordinal, 0))
        return error_set(error, LLM_ERROR_DEVICE, "the NVIDIA driver finds no GPU");
    if (attribute(cuda, *ordinal, CUDA_ATTRIBUTE_MAJOR) < 7)
        return error_set(error, LLM_ERROR_DEVICE,
                         "this GPU is too old: compute capability 7.0 or newer is needed");
    return true;
}

static bool start(CUDADevice *device) {
    const CUDADriver *cuda = device->cuda;
    if (!check(device, cuda->cuDevicePrimaryCtxRetain(&device->context, device->ordinal),
               "no context on this GPU") ||
        !check(device, cuda->cuCtxSetCurrent(device->context), "no context on this GPU") ||
        !check(device, cuda->cuStreamCreate(&device->stream, CUDA_STREAM_NON_BLOCKING),
               "no stream") ||
        !check(device, cuda->cuStreamCreate(&device->copies, CUDA_STREAM_NON_BLOCKING),
               "no stream"))
        return false;
    for (int i = 0; i < SUBMISSIONS; i++)
        if (!check(device, cuda->cuEventCreate(&device->ends[i], CUDA_EVENT_DISABLE_TIMING),
                   "no event"))
            return false;
    return true;
}

static void describe(CUDADevice *device) {
    char name[128] = "GPU";
    size_t unused = 0, total = 0;
    device->cuda->cuDeviceGetName(name, sizeof name, device->ordinal);
    device->cuda->cuMemGetInfo_v2(&unused, &total);
    device->base.memory = total;
    snprintf(device->base.description, sizeof device->base.description, "cuda: %s, sm_%d, %.0f GiB",
             name, device->architecture, (double)total / (1024.0 * 1024 * 1024));
    int version = 0;
    device->cuda->cuDriverGetVersion(&version);
    snprintf(device->base.details, sizeof device->base.details,
             "driver of CUDA %d.%d, %d multiprocessors", version / 1000, version % 1000 / 10,
             device->multiprocessors);
}

static void cuda_close(Device *base);

static Device *cuda_open(const DeviceOptions *options, LLMError *error) {
    const CUDADriver *cuda = cuda_driver(error);
    int ordinal;
    if (!cuda || !find_device(cuda, &ordinal, error) || !cuda_compiler(error)) return NULL;
    CUDADevice *device = calloc(1, sizeof *device);
    if (!device) return error_memory(error, sizeof *device);
    device->cuda = cuda;
    device->ordinal = ordinal;
    device->architecture = 10 * attribute(cuda, ordinal, CUDA_ATTRIBUTE_MAJOR) +
                           attribute(cuda, ordinal, CUDA_ATTRIBUTE_MINOR);
    device->multiprocessors = attribute(cuda, ordinal, CUDA_ATTRIBUTE_MULTIPROCESSORS);
    device->base.facts = (DeviceFacts){.simd_width = LANES,
                                       .simdgroups = SIMDGROUPS * (uint32_t)device->multiprocessors,
                                       .prefers_halves = true};
    bool allocated = true;
    for (CUDABuild *build = device->builds; build < device->builds + 2; build++) {
        build->kernels = calloc(kernel_count, sizeof *build->kernels);
        build->modules = calloc(kernel_source_count, sizeof *build->modules);
        allocated = allocated && build->kernels && build->modules;
    }
    if (options->kernels) device->folder = strdup(options->kernels);
    if (!allocated || (options->kernels && !device->folder))
        error_memory(&device->base.error, kernel_count * sizeof(CUDAKernel));
    else if (start(device))
        describe(device);
    if (!device_failed(&device->base, error)) return &device->base;
    cuda_close(&device->base);
    return NULL;
}

static void close_blas(CUDADevice *device) {
    if (!device->blas) return;
    device->blas->cublasDestroy_v2(device->blas_handle);
    device->cuda->cuMemFree_v2(device->blas_workspace);
}

static void cuda_close(Device *base) {
    CUDADevice *device = (CUDADevice *)base;
    if (device->context) {
        const CUDADriver *cuda = enter(device);
        if (device->stream) cuda->cuStreamSynchronize(device->stream);
        close_blas(device);
        for (CUDABuild *build = device->builds; build < device->builds + 2; build++)
            for (size_t i = 0; build->modules && i < kernel_source_count; i++)
                if (build->modules[i]) cuda->cuModuleUnload(build->modules[i]);
        for (int i = 0; i < SUBMISSIONS; i++)
            if (device->ends[i]) cuda->cuEventDestroy_v2(device->ends[i]);
        if (device->stream) cuda->cuStreamDestroy_v2(device->stream);
        if (device->copies) cuda->cuStreamDestroy_v2(device->copies);
        cuda->cuDevicePrimaryCtxRelease_v2(device->ordinal);
    }
    for (CUDABuild *build = device->builds; build < device->builds + 2; build++) {
        free(build->kernels);
        free(build->modules);
    }
    free(device->folder);
    free(device);
}

/* --- memory --- */

static DeviceBuffer *cuda_buffer_new(Device *base, size_t bytes) {
    CUDADevice *device = (CUDADevice *)base;
    CUDABuffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer) return NULL;
    const CUDADriver *cuda = enter(device);
    if (cuda->cuMemAlloc_v2(&buffer->address, bytes ? bytes : 1) == 0) return &buffer->base;
    free(buffer);
    size_t unused = 0, total = 0;
    cuda->cuMemGetInfo_v2(&unused, &total);
    device_fail(base, LLM_ERROR_MEMORY,
                "the GPU's memory is full: %.1f MiB are wanted, %.1f of %.1f are free; use a "
                "smaller model, context or batch",
                (double)bytes / (1 << 20), (double)unused / (1 << 20), (double)total / (1 << 20));
    return NULL;
}

static void copy_in(CUDADevice *device, CUdeviceptr to, const void *from, size_t bytes) {
    const CUDADriver *cuda = enter(device);
    if (check(device, cuda->cuMemcpyHtoDAsync_v2(to, from, bytes, device->stream), "copy"))
        check(device, cuda->cuStreamSynchronize(device->stream), "copy");
}

static void copy_out(CUDADevice *device, CUstream stream, void *to, CUdeviceptr from,
                     size_t bytes) {
    const CUDADriver *cuda = enter(device);
    if (check(device, cuda->cuMemcpyDtoHAsync_v2(to, from, bytes, stream), "copy"))
        check(device, cuda->cuStreamSynchronize(stream), "copy");
}

static DeviceBuffer *cuda_buffer_wrap(Device *base, const void *data, size_t bytes) {
    CUDABuffer *buffer = (CUDABuffer *)cuda_buffer_new(base, bytes);
    if (!buffer) return NULL;
    buffer->is_constant = true;
    copy_in((CUDADevice *)base, buffer->address, data, bytes);
    return &buffer->base;
}

static void cuda_buffer_free(DeviceBuffer *base) {
    enter((CUDADevice *)base->device)->cuMemFree_v2(((CUDABuffer *)base)->address);
    free(base);
}

static void cuda_write(DeviceBuffer *base, size_t offset, const void *data, size_t bytes) {
    copy_in((CUDADevice *)base->device, ((CUDABuffer *)base)->address + offset, data, bytes);
}

static void cuda_read(DeviceBuffer *base, size_t offset, void *data, size_t bytes) {
    CUDADevice *device = (CUDADevice *)base->device;
    copy_out(device, device->stream, data, ((CUDABuffer *)base)->address + offset, bytes);
}

static CUdeviceptr address_of(const DeviceArgument *argument) {
    return ((CUDABuffer *)argument->buffer)->address + argument->offset;
}

/* --- kernels --- */

static CUmodule load_module(CUDADevice *device, const char *file, bool partial) {
    size_t i = 0, size = 0;
    while (strcmp(kernel_sources[i].file, file))
        i++;
    CUmodule *module = &device->builds[partial].modules[i];
    if (*module) return *module;
    LLMError *error = &device->base.error;
    char *text = cuda_source_text(device->folder, file, error);
    if (!text) return NULL;
    void *code = cuda_compile(file, text, device->architecture, partial, &size, error);
    free(text);
    if (!code) return NULL;
    int result = device->cuda->cuModuleLoadData(module, code);
    free(code);
    bool is_refused = result == CUDA_ERROR_INVALID_IMAGE || result == CUDA_ERROR_NO_BINARY ||
                      result == CUDA_ERROR_UNSUPPORTED_PTX;
    check(device, result,
          is_refused ? "the driver refuses a compiled kernel; update the driver"
                     : "loading kernels");
    return *module;
}

/* NULL if it cannot be loaded. */
static const CUDAKernel *load_kernel(CUDADevice *device, const Kernel *kernel, bool partial) {
    CUDAKernel *loaded = &device->builds[partial].kernels[kernel - kernel_table];
    if (loaded->function) return loaded;
    CUmodule module = load_module(device, kernel->file, partial);
    if (!module) return NULL;
    char entry[160];
    snprintf(entry, sizeof entry, "metal_%s", kernel->name);
    const CUDADriver *cuda = device->cuda;
    if (!check(device, cuda->cuModuleGetFunction(&loaded->function, module, entry), entry) ||
        !check(device,
               cuda->cuFuncGetAttribute(&loaded->max_threads, CUDA_FUNCTION_MAX_THREADS,
                                        loaded->function),
               entry))
        return NULL;
    return loaded;
}

static bool cuda_prepare(Device *base, const Kernel *kernel) {
    CUDADevice *device = (CUDADevice *)base;
    enter(device);
    return load_kernel(device, kernel, false) != NULL;
}

static bool cuda_prepare_all(Device *base) {
    CUDADevice *device = (CUDADevice *)base;
    return cuda_compile_ahead(device->folder, device->architecture);
}

/* What an entry point takes: Arguments and Prefetch in msl/cuda/metal_stdlib. */
typedef struct KernelArguments {
    uint64_t slot[COMMAND_ARGUMENTS];
    uint32_t scratch[SCRATCHES];
} KernelArguments;
typedef struct Prefetch {
    CUdeviceptr start;
    uint64_t bytes, share;
} Prefetch;

static uint32_t bind_arguments(const Command *command, KernelArguments *bound) {
    uint32_t scratch_bytes = 0;
    for (uint32_t i = 0; i < command->argument_count; i++) {
        const KernelParameter *parameter = &command->kernel->parameters[i];
        const DeviceArgument *argument = &command->arguments[i];
        if (parameter->kind == PARAMETER_THREADGROUP) {
            bound->scratch[parameter->index % SCRATCHES] = scratch_bytes;
            scratch_bytes += ((uint32_t)argument->value.u64 + 15) / 16 * 16;
        } else if (argument->buffer) {
            bound->slot[parameter->index] = address_of(argument);
        } else {
            bound->slot[parameter->index] = argument->value.u64;
        }
    }
    return scratch_bytes;
}

/* Threads of a threadgroup, if nothing stands against it: many where there are too few threadgroups
 * to fill the GPU. */
static uint32_t wanted_threads(const CUDADevice *device, const DeviceGrid *grid) {
    if (grid->threads) return grid->threads;
    uint64_t items = (uint64_t)grid->x * grid->y * grid->z;
    switch (grid->item) {
    case ITEM_SIMDGROUP:
        return GROUP_THREADS;
    case ITEM_THREADGROUP:
        return items < (uint64_t)device->multiprocessors ? MOST_THREADS : THREADS;
    case ITEM_THREAD:
        break;
    }
    return grid->x < THREADS ? (grid->x + LANES - 1) / LANES * LANES : THREADS;
}

/* The kernel, and as many of the threads as its registers allow; NULL if it cannot be loaded. */
static const CUDAKernel *choose_kernel(CUDADevice *device, const Command *command,
                                       uint32_t *threads) {
    uint32_t wanted = wanted_threads(device, &command->grid);
    const CUDAKernel *kernel = load_kernel(device, command->kernel, wanted % LANES != 0);
    if (kernel)
        *threads = wanted < (uint32_t)kernel->max_threads ? wanted : (uint32_t)kernel->max_threads;
    return kernel;
}

/* Of a grid with the items given in x, how many a threadgroup takes. */
static uint32_t group_items(const DeviceGrid *grid, uint32_t threads) {
    if (grid->item == ITEM_THREADGROUP) return 1;
    return grid->item == ITEM_THREAD ? threads : (threads + LANES - 1) / LANES;
}

/* Threadgroups take the rows of a weight matrix in turn: the largest buffer that never changes. */
static Prefetch choose_prefetch(const Command *command, uint32_t groups) {
    Prefetch chosen = {0};
    if (command->grid.item == ITEM_THREAD) return chosen;
    for (uint32_t i = 0; i < command->argument_count; i++) {
        const DeviceArgument *argument = &command->arguments[i];
        if (!argument->buffer || !((CUDABuffer *)argument->buffer)->is_constant) continue;
        size_t bytes = argument->buffer->size - argument->offset;
        if (bytes > chosen.bytes && bytes >= PREFETCH_LEAST && argument->offset % 16 == 0)
            chosen = (Prefetch){address_of(argument), bytes, (bytes + groups - 1) / groups};
    }
    return chosen.bytes <= PREFETCH_MOST ? chosen : (Prefetch){0};
}

static bool launch(CUDADevice *device, const Command *command) {
    const Kernel *kernel = command->kernel;
    const DeviceGrid *grid = &command->grid;
    uint32_t threads;
    const CUDAKernel *loaded = choose_kernel(device, command, &threads);
    if (!loaded) return false;
    uint32_t items = group_items(grid, threads), groups = grid->x / items + (grid->x % items != 0);
    if (groups > INT32_MAX || grid->y > UINT16_MAX || grid->z > UINT16_MAX)
        return device_fail(&device->base, LLM_ERROR_DEVICE,
                           "%s: a grid of %u × %u × %u is too large", kernel->name, grid->x,
                           grid->y, grid->z);
    KernelArguments arguments = {0};
    uint32_t scratch = bind_arguments(command, &arguments);
    Prefetch prefetch = choose_prefetch(command, groups);
    void *parameters[] = {&arguments, &prefetch};
    CUlaunchAttribute overlap = {.id = CUDA_LAUNCH_PROGRAMMATIC_SERIALIZATION, .value.number = 1};
    CUlaunchConfig config = {.grid = {groups, grid->y, grid->z},
                             .block = {threads, 1, 1},
                             .shared_bytes = scratch,
                             .stream = device->stream,
                             .attributes = &overlap,
                             .attribute_count =
                                 !device_measures(&device->base) && device->architecture >= 90};
    return check(device,
                 device->cuda->cuLaunchKernelEx(&config, loaded->function, parameters, NULL),
                 kernel->name);
}

/* --- matrices --- */

/* Failing, it leaves `blas` NULL and nothing else. */
static bool load_blas(CUDADevice *device) {
    if (device->blas) return true;
    const CUDABlas *blas = cuda_blas(&device->base.error);
    if (!blas) return false;
    CUdeviceptr workspace = 0;
    cublasHandle handle = NULL;
    if (!check(device, device->cuda->cuMemAlloc_v2(&workspace, BLAS_WORKSPACE),
               "no memory for cuBLAS"))
        return false;
    int failed = blas->cublasCreate_v2(&handle);
    if (!failed) failed = blas->cublasSetStream_v2(handle, device->stream);
    if (!failed)
        failed = blas->cublasSetWorkspace_v2(handle, (void *)(uintptr_t)workspace, BLAS_WORKSPACE);
    if (failed) {
        if (handle) blas->cublasDestroy_v2(handle);
        device->cuda->cuMemFree_v2(workspace);
        return device_fail(&device->base, LLM_ERROR_DEVICE, "cuda: cuBLAS does not start (%d)",
                           failed);
    }
    device->blas = blas;
    device->blas_handle = handle;
    device->blas_workspace = workspace;
    return true;
}

/* cuBLAS counts columns first: its outᵀ[N,M] = weight[N,K] · xᵀ[K,M]. */
static bool multiply(CUDADevice *device, const DeviceMatmul *m) {
    if (!load_blas(device)) return false;
    const float one = 1.0f, zero = 0.0f;
    int type = m->type == MATMUL_F16 ? CUBLAS_HALF : CUBLAS_FLOAT;
    int result = device->blas->cublasGemmEx(
        device->blas_handle, CUBLAS_TRANSPOSED, CUBLAS_NORMAL, (int)m->N, (int)m->M, (int)m->K,
        &one, (const void *)(uintptr_t)address_of(&m->weight), type, (int)m->K,
        (const void *)(uintptr_t)address_of(&m->x), type, (int)m->K, &zero,
        (void *)(uintptr_t)address_of(&m->out), CUBLAS_FLOAT, (int)m->stride, CUBLAS_COMPUTE_FLOAT,
        CUBLAS_ALGORITHM_DEFAULT);
    if (result == 0) return true;
    return device_fail(&device->base, LLM_ERROR_DEVICE,
                       "cuda: cuBLAS fails (%d) at a product of [%u,%u] and [%u,%u]", result, m->M,
                       m->K, m->N, m->K);
}

/* --- execution --- */

static bool run(CUDADevice *device, const Command *command) {
    return command->kernel ? launch(device, command) : multiply(device, &command->matmul);
}

static void run_measured(CUDADevice *device, const Command *command) {
    const CUDADriver *cuda = device->cuda;
    CUevent begin = NULL, end = NULL;
    float milliseconds = 0;
    if (check(device, cuda->cuEventCreate(&begin, CUDA_EVENT_DEFAULT), "no event") &&
        check(device, cuda->cuEventCreate(&end, CUDA_EVENT_DEFAULT), "no event") &&
        check(device, cuda->cuEventRecord(begin, device->stream), "event") &&
        run(device, command) && check(device, cuda->cuEventRecord(end, device->stream), "event") &&
        check(device, cuda->cuEventSynchronize(end),
              command->kernel ? command->kernel->name : "matmul") &&
        check(device, cuda->cuEventElapsedTime(&milliseconds, begin, end), "event"))
        device_record_time(&device->base, command, 1e-3 * milliseconds);
    if (begin) cuda->cuEventDestroy_v2(begin);
    if (end) cuda->cuEventDestroy_v2(end);
}

static void cuda_execute(Device *base, CommandList *list) {
    CUDADevice *device = (CUDADevice *)base;
    enter(device);
    for (size_t i = 0; i < list->count && !base->error.status; i++) {
        if (device_measures(base))
            run_measured(device, &list->commands[i]);
        else
            run(device, &list->commands[i]);
    }
}

/* While a graph is captured nothing may be loaded. */
static bool load_all(CUDADevice *device, const CommandList *list) {
    for (size_t i = 0; i < list->count; i++) {
        const Command *command = &list->commands[i];
        uint32_t threads;
        bool loaded =
            command->kernel ? choose_kernel(device, command, &threads) != NULL : load_blas(device);
        if (!loaded) return false;
    }
    return true;
}

static CUgraphExec capture(CUDADevice *device, CommandList *list) {
    const CUDADriver *cuda = device->cuda;
    CUgraph graph = NULL;
    CUgraphExec exec = NULL;
    if (!load_all(device, list) ||
        !check(device, cuda->cuStreamBeginCapture_v2(device->stream, CUDA_CAPTURE_RELAXED),
               "recording a step"))
        return NULL;
    cuda_execute(&device->base, list);
    if (check(device, cuda->cuStreamEndCapture(device->stream, &graph), "recording a step"))
        check(device, cuda->cuGraphInstantiateWithFlags(&exec, graph, 0), "recording a step");
    if (graph) cuda->cuGraphDestroy(graph);
    return exec;
}

static void cuda_replay(Device *base, DeviceStep *step) {
    CUDADevice *device = (CUDADevice *)base;
    const CUDADriver *cuda = enter(device);
    if (!step->native) step->native = capture(device, &step->list);
    if (step->native)
        check(device, cuda->cuGraphLaunch(step->native, device->stream), "replaying a step");
}

static void cuda_step_free(DeviceStep *step) {
    if (step->native) enter((CUDADevice *)step->device)->cuGraphExecDestroy(step->native);
}

/* --- submissions: an event after each --- */

static CUevent end_of(CUDADevice *device, uint64_t submission) {
    return device->ends[submission % SUBMISSIONS];
}

static void cuda_submit(Device *base, uint64_t submission) {
    CUDADevice *device = (CUDADevice *)base;
    check(device, enter(device)->cuEventRecord(end_of(device, submission), device->stream),
          "submit");
}

static void cuda_wait(Device *base, uint64_t submission) {
    CUDADevice *device = (CUDADevice *)base;
    check(device, enter(device)->cuEventSynchronize(end_of(device, submission)), "a kernel failed");
}

static void cuda_read_after(Device *base, uint64_t submission, DeviceBuffer *buffer, size_t offset,
                            void *data, size_t bytes) {
    CUDADevice *device = (CUDADevice *)base;
    if (check(device,
              enter(device)->cuStreamWaitEvent(device->copies, end_of(device, submission), 0),
              "read"))
        copy_out(device, device->copies, data, ((CUDABuffer *)buffer)->address + offset, bytes);
}

const DeviceTarget device_target_cuda = {
    .name = "cuda",
    .compiles = true,
    .run_ahead = 4,
    .open = cuda_open,
    .close = cuda_close,
    .buffer_new = cuda_buffer_new,
    .buffer_wrap = cuda_buffer_wrap,
    .buffer_free = cuda_buffer_free,
    .write = cuda_write,
    .read = cuda_read,
    .prepare = cuda_prepare,
    .prepare_all = cuda_prepare_all,
    .execute = cuda_execute,
    .replay = cuda_replay,
    .step_free = cuda_step_free,
    .submit = cuda_submit,
    .wait = cuda_wait,
    .read_after = cuda_read_after,
};
