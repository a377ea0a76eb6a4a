/* simt_context.c — the device "simt": every kernel on full threadgroups, watched.
 *
 * Slow, and meant for tests: threads run in a random order (see msl/simt/simt.h), fresh buffers
 * hold NaN, and every buffer lies between two fences that are looked at after each kernel.
 */
#include "device_target.h"
#include "cpu_matmul.h"
#include "simt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    FENCE_BYTES = 4096,
    ALIGNMENT = 256,     /* of a buffer's contents */
    THREADS = 64,        /* of a threadgroup, for grids of threads */
    GROUP_THREADS = 128, /* for grids of simdgroups and threadgroups */
    LANES = 32,
    SIMDGROUPS = 12, /* few, so that simdgroups take more than one turn */
};

/* Repeated, NaN as float and as half, and not what fresh memory holds. */
static const unsigned char fence_pattern[2] = {0xE5, 0xFF};

typedef struct SimtDevice {
    Device base;
    Simt *simt;
    uint64_t seed; /* of the next kernel */
} SimtDevice;

typedef struct SimtBuffer {
    DeviceBuffer base;
    _Alignas(ALIGNMENT) unsigned char data[]; /* fence, contents, fence */
} SimtBuffer;

extern simt_entry *const simt_entries[]; /* in the order of kernel_table */

/* --- memory --- */

static unsigned char *contents(DeviceBuffer *buffer) {
    return ((SimtBuffer *)buffer)->data + FENCE_BYTES;
}

static void fill_fence(unsigned char *fence) {
    for (size_t i = 0; i < FENCE_BYTES; i++)
        fence[i] = fence_pattern[i % 2];
}

/* How many bytes of a fence were overwritten. */
static size_t damage(const unsigned char *fence) {
    bool whole = fence[0] == fence_pattern[0] && fence[1] == fence_pattern[1] &&
                 !memcmp(fence, fence + 2, FENCE_BYTES - 2);
    size_t count = 0;
    for (size_t i = 0; !whole && i < FENCE_BYTES; i++)
        count += fence[i] != fence_pattern[i % 2];
    return count;
}

static DeviceBuffer *buffer_new(Device *device, size_t bytes) {
    (void)device;
    if (bytes > SIZE_MAX / 2) return NULL;
    size_t total = sizeof(SimtBuffer) + 2 * FENCE_BYTES + bytes;
    SimtBuffer *buffer = aligned_alloc(ALIGNMENT, (total + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    if (!buffer) return NULL;
    fill_fence(buffer->data);
    memset(buffer->data + FENCE_BYTES, 0xFF, bytes);
    fill_fence(buffer->data + FENCE_BYTES + bytes);
    return &buffer->base;
}

/* A copy: only memory of our own has fences. */
static DeviceBuffer *buffer_wrap(Device *device, const void *data, size_t bytes) {
    DeviceBuffer *buffer = buffer_new(device, bytes);
    if (buffer && bytes) memcpy(contents(buffer), data, bytes);
    return buffer;
}

static void buffer_free(DeviceBuffer *buffer) {
    free(buffer);
}

static void buffer_write(DeviceBuffer *buffer, size_t offset, const void *data, size_t bytes) {
    if (bytes) memcpy(contents(buffer) + offset, data, bytes);
}

static void buffer_read(DeviceBuffer *buffer, size_t offset, void *data, size_t bytes) {
    if (bytes) memcpy(data, contents(buffer) + offset, bytes);
}

static void check_fences(DeviceBuffer *buffer, const char *kernel, const char *parameter) {
    const unsigned char *start = contents(buffer);
    size_t before = damage(start - FENCE_BYTES), behind = damage(start + buffer->size);
    if (before || behind)
        device_fail(buffer->device, LLM_ERROR_DEVICE,
                    "%s wrote outside of '%s': %zu bytes before its start, %zu past its end (it "
                    "has %zu bytes)",
                    kernel, parameter, before, behind, buffer->size);
}

/* --- kernels --- */

/* The grid in threads, as Metal counts. False if it has more than 32 bits can count. */
static bool lay_out(const DeviceGrid *grid, SimtLaunch *launch) {
    uint32_t threads = grid->threads;
    if (!threads) threads = grid->item == ITEM_THREAD ? THREADS : GROUP_THREADS;
    uint64_t x = grid->x;
    if (grid->item == ITEM_SIMDGROUP) x = divide_up(grid->x, divide_up(threads, LANES));
    if (grid->item != ITEM_THREAD) x *= threads;
    launch->threads = (SimtSize){(uint32_t)x, grid->y, grid->z};
    launch->group_threads = (SimtSize){threads, 1, 1};
    return x <= UINT32_MAX;
}

static void bind_arguments(const Command *command, void *arguments[SIMT_BUFFERS],
                           size_t scratch[SIMT_BUFFERS]) {
    for (uint32_t i = 0; i < command->argument_count; i++) {
        const KernelParameter *parameter = &command->kernel->parameters[i];
        const DeviceArgument *argument = &command->arguments[i];
        if (parameter->kind == PARAMETER_THREADGROUP)
            scratch[parameter->index] = argument->value.u64;
        else if (argument->buffer)
            arguments[parameter->index] = contents(argument->buffer) + argument->offset;
        else
            arguments[parameter->index] = (void *)(uintptr_t)&argument->value;
    }
}

static void run_kernel(SimtDevice *device, const Command *command) {
    const Kernel *kernel = command->kernel;
    void *arguments[SIMT_BUFFERS] = {0};
    size_t scratch[SIMT_BUFFERS] = {0};
    bind_arguments(command, arguments, scratch);
    SimtLaunch launch = {
        .kernel = kernel->name,
        .entry = simt_entries[kernel - kernel_table],
        .arguments = arguments,
        .scratch = scratch,
        .simd_width = LANES,
        .seed = device->seed++,
    };
    char error[256];
    if (!lay_out(&command->grid, &launch))
        device_fail(&device->base, LLM_ERROR_DEVICE, "%s: a grid of more than 2^32 threads",
                    kernel->name);
    else if (!simt_run(device->simt, &launch, error, sizeof error))
        device_fail(&device->base, LLM_ERROR_DEVICE, "%s", error);
    for (uint32_t i = 0; i < command->argument_count; i++)
        if (command->arguments[i].buffer)
            check_fences(command->arguments[i].buffer, kernel->name, kernel->parameters[i].name);
}

/* --- matrices --- */

static const float *matrix(const DeviceArgument *argument) {
    return (const float *)(const void *)(contents(argument->buffer) + argument->offset);
}

/* A matrix of half as float, which the caller frees. */
static float *widened(const DeviceArgument *argument, size_t count) {
    const _Float16 *half = (const void *)(contents(argument->buffer) + argument->offset);
    float *wide = malloc(count * sizeof *wide);
    for (size_t i = 0; wide && i < count; i++)
        wide[i] = (float)half[i];
    return wide;
}

static void multiply(const DeviceMatmul *m, const float *x, const float *weight) {
    cpu_matmul(
        &(CPUMatmul){x, weight, (float *)(uintptr_t)matrix(&m->out), m->M, m->N, m->K, m->stride});
}

static void run_matmul(Device *device, const DeviceMatmul *m) {
    if (!cpu_matmul_open(1, &device->error)) return;
    if (m->type == MATMUL_F32) {
        multiply(m, matrix(&m->x), matrix(&m->weight));
    } else {
        size_t x_count = (size_t)m->M * m->K, weight_count = (size_t)m->N * m->K;
        float *x = widened(&m->x, x_count), *weight = widened(&m->weight, weight_count);
        if (x && weight)
            multiply(m, x, weight);
        else
            error_memory(&device->error, (x_count + weight_count) * sizeof *x);
        free(x);
        free(weight);
    }
    cpu_matmul_close(1);
    check_fences(m->out.buffer, "matmul", "out");
}

/* --- the target --- */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void execute(Device *device, CommandList *list) {
    for (size_t i = 0; i < list->count && !device->error.status; i++) {
        const Command *command = &list->commands[i];
        double start = now();
        if (command->kernel)
            run_kernel((SimtDevice *)device, command);
        else
            run_matmul(device, &command->matmul);
        if (device_measures(device)) device_record_time(device, command, now() - start);
    }
}

static Device *open_device(const DeviceOptions *options, LLMError *error) {
    SimtDevice *device = calloc(1, sizeof *device);
    Simt *simt = simt_new();
    if (!device || !simt) {
        free(device);
        simt_free(simt);
        return error_memory(error, sizeof *device);
    }
    device->simt = simt;
    /* With products of bytes, so that tests see what they bring about. */
    device->base.facts =
        (DeviceFacts){.simd_width = LANES, .simdgroups = SIMDGROUPS, .byte_products = true};
    device->base.memory = device_host_memory();
    device->seed = options->seed << 20;
    snprintf(device->base.description, sizeof device->base.description,
             "simt: threadgroups on fibers, simdgroups of %d, seed %llu", LANES,
             (unsigned long long)options->seed);
    return &device->base;
}

static void close_device(Device *device) {
    simt_free(((SimtDevice *)device)->simt);
    free(device);
}

const DeviceTarget device_target_simt = {
    .name = "simt",
    .only_by_name = true,
    .open = open_device,
    .close = close_device,
    .buffer_new = buffer_new,
    .buffer_wrap = buffer_wrap,
    .buffer_free = buffer_free,
    .write = buffer_write,
    .read = buffer_read,
    .execute = execute,
};
