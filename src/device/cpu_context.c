/* cpu_context.c — the CPU: each threadgroup is one thread, threadgroups are split across the
 * cores.
 *
 * A list of commands is one run of the thread pool, its commands the jobs. Matrix products go to
 * OpenBLAS, one panel of columns per chunk.
 */
#include "device_target.h"
#include "thread_pool.h"
#include "cpu_level.h"
#include "cpu_matmul.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A chunk should be long enough to be worth taking and short enough to split evenly. */
static const float chunk_seconds = 5e-6f;
/* First guesses of an item's cost, until it has been measured. */
static const float guessed_seconds[] = {
    [ITEM_THREAD] = 1e-9f, [ITEM_SIMDGROUP] = 1e-7f, [ITEM_THREADGROUP] = 1e-6f};
enum { MATMUL_PANELS_PER_THREAD = 2, MATMUL_PANEL_COLUMNS = 48 };

typedef struct CPUDevice {
    Device base;
    ThreadPool *pool;
    cpu_entry *const *entries; /* in the order of kernel_table */
    bool multiplies;           /* cpu_matmul is open */
    uint32_t *chunks;          /* per command of the list being executed */
    uint32_t capacity;
} CPUDevice;

typedef struct CPUBuffer {
    DeviceBuffer base;
    unsigned char *data;
    bool owned;
} CPUBuffer;

/* --- open --- */

static void describe(CPUDevice *device, const char *level) {
    uint32_t threads = thread_pool_threads(device->pool), wanted = thread_pool_wanted(device->pool);
    char fewer[64] = "";
    if (threads < wanted)
        snprintf(fewer, sizeof fewer, " (%u were wanted, the system gives no more)", wanted);
    snprintf(device->base.description, sizeof device->base.description, "cpu: %u thread%s%s, %s",
             threads, threads == 1 ? "" : "s", fewer, level);
}

static bool open_matmul(CPUDevice *device, LLMError *error) {
    if (!device->multiplies)
        device->multiplies = cpu_matmul_open(thread_pool_threads(device->pool), error);
    return device->multiplies;
}

static void cpu_close(Device *base) {
    CPUDevice *device = (CPUDevice *)base;
    if (device->multiplies) cpu_matmul_close(thread_pool_threads(device->pool));
    thread_pool_free(device->pool);
    free(device->chunks);
    free(device);
}

static Device *cpu_open(const DeviceOptions *options, LLMError *error) {
    CPULevel level;
    if (!cpu_level_choose(&level, error)) return NULL;
    CPUDevice *device = calloc(1, sizeof *device);
    if (!device) return error_memory(error, sizeof *device);
    device->pool = thread_pool_new(options->threads, error);
    if (!device->pool) {
        free(device);
        return NULL;
    }
    device->entries = level.entries;
    /* Any number of simdgroups: items are split anyway. */
    device->base.facts = (DeviceFacts){
        .simd_width = 1, .simdgroups = UINT32_MAX, .byte_products = level.byte_products};
    device->base.memory = device_host_memory();
    describe(device, level.name);
    if (!options->matmul || open_matmul(device, error)) return &device->base;
    cpu_close(&device->base);
    return NULL;
}

/* --- memory --- */

static DeviceBuffer *new_buffer(void *data, bool owned) {
    CPUBuffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer) {
        if (owned) free(data);
        return NULL;
    }
    buffer->data = data;
    buffer->owned = owned;
    return &buffer->base;
}

/* Not on large pages: those are no faster here, and a prompt's first keys would fill each of the
 * cache's with zeros. */
static DeviceBuffer *cpu_buffer_new(Device *device, size_t bytes) {
    (void)device;
    void *data = NULL;
    if (posix_memalign(&data, 64, bytes ? bytes : 1)) return NULL;
    return new_buffer(data, true);
}

static DeviceBuffer *cpu_buffer_wrap(Device *device, const void *data, size_t bytes) {
    (void)device;
    (void)bytes;
    return new_buffer((void *)data, false);
}

static void cpu_buffer_free(DeviceBuffer *base) {
    CPUBuffer *buffer = (CPUBuffer *)base;
    if (buffer->owned) free(buffer->data);
    free(buffer);
}

static void cpu_write(DeviceBuffer *base, size_t offset, const void *data, size_t bytes) {
    memcpy(((CPUBuffer *)base)->data + offset, data, bytes);
}

static void cpu_read(DeviceBuffer *base, size_t offset, void *data, size_t bytes) {
    memcpy(data, ((CPUBuffer *)base)->data + offset, bytes);
}

static void *argument_pointer(const DeviceArgument *argument) {
    if (argument->buffer) return ((CPUBuffer *)argument->buffer)->data + argument->offset;
    return (void *)&argument->value;
}

/* --- execution --- */

typedef struct Execution {
    CPUDevice *device;
    Command *commands;
    const uint32_t *chunks;
} Execution;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static size_t item_count(const Command *command) {
    return (size_t)command->grid.x * command->grid.y * command->grid.z;
}

/* Items [begin, end) of the grid, counted along x first: one call per row or part of a row. */
static void run_items(CPUDevice *device, const Command *command, size_t begin, size_t end) {
    void *arguments[COMMAND_ARGUMENTS];
    for (uint32_t i = 0; i < command->argument_count; i++)
        arguments[i] = argument_pointer(&command->arguments[i]);
    const DeviceGrid *grid = &command->grid;
    cpu_entry *entry = device->entries[command->kernel - kernel_table];
    while (begin < end) {
        size_t row = begin / grid->x, x = begin % grid->x, length = grid->x - x;
        if (length > end - begin) length = end - begin;
        CPURange range = {.x_begin = (uint32_t)x,
                          .x_end = (uint32_t)(x + length),
                          .y = (uint32_t)(row % grid->y),
                          .z = (uint32_t)(row / grid->y),
                          .grid = {grid->x, grid->y, grid->z}};
        entry(arguments, &range);
        begin += length;
    }
}

static void run_kernel_chunk(CPUDevice *device, Command *command, uint32_t chunk, uint32_t chunks) {
    size_t items = item_count(command);
    size_t begin = items * chunk / chunks, end = items * (chunk + 1) / chunks;
    if (chunk > 0) {
        run_items(device, command, begin, end);
        return;
    }
    double start = now();
    run_items(device, command, begin, end);
    command->item_seconds = (float)((now() - start) / (double)(end - begin));
}

/* Columns [begin, end) of out: a panel of the weight's rows. */
static void run_matmul_chunk(const DeviceMatmul *m, uint32_t chunk, uint32_t chunks) {
    size_t begin = (size_t)m->N * chunk / chunks, end = (size_t)m->N * (chunk + 1) / chunks;
    cpu_matmul(&(CPUMatmul){
        .x = argument_pointer(&m->x),
        .weight = (const float *)argument_pointer(&m->weight) + begin * m->K,
        .out = (float *)argument_pointer(&m->out) + begin,
        .M = m->M,
        .N = end - begin,
        .K = m->K,
        .stride = m->stride,
    });
}

static void run_chunk(void *context, uint32_t job, uint32_t begin, uint32_t end) {
    Execution *execution = context;
    Command *command = &execution->commands[job];
    for (uint32_t chunk = begin; chunk < end; chunk++) {
        if (command->kernel)
            run_kernel_chunk(execution->device, command, chunk, execution->chunks[job]);
        else
            run_matmul_chunk(&command->matmul, chunk, execution->chunks[job]);
    }
}

static uint32_t matmul_chunks(const CPUDevice *device, const DeviceMatmul *matmul) {
    uint32_t threads = thread_pool_threads(device->pool);
    uint32_t most = matmul->N / MATMUL_PANEL_COLUMNS;
    uint32_t chunks = threads == 1 ? 1 : MATMUL_PANELS_PER_THREAD * threads;
    return most == 0 ? 1 : chunks < most ? chunks : most;
}

/* A kernel that is done sooner than two threads can meet stays in one piece. */
static uint32_t kernel_chunks(const CPUDevice *device, const Command *command) {
    float seconds = command->item_seconds;
    if (seconds == 0) seconds = guessed_seconds[command->grid.item];
    size_t items = item_count(command);
    double chunks = (double)items * seconds / chunk_seconds;
    if (thread_pool_threads(device->pool) == 1 || chunks < 2) return 1;
    if (chunks > (double)items) chunks = (double)items;
    return chunks > 4096 ? 4096 : (uint32_t)chunks;
}

static bool check_matmul(CPUDevice *device, const DeviceMatmul *matmul) {
    if (matmul->type == MATMUL_F32) return open_matmul(device, &device->base.error);
    return device_fail(&device->base, LLM_ERROR_ARGUMENT,
                       "matmul: the CPU's library takes floats; dequantise first");
}

static bool plan_chunks(CPUDevice *device, const CommandList *list) {
    if (list->count > device->capacity) {
        size_t bytes = list->count * sizeof *device->chunks;
        uint32_t *chunks = realloc(device->chunks, bytes);
        if (!chunks) return error_memory(&device->base.error, bytes);
        device->chunks = chunks;
        device->capacity = (uint32_t)list->count;
    }
    for (size_t i = 0; i < list->count; i++) {
        const Command *command = &list->commands[i];
        if (!command->kernel && !check_matmul(device, &command->matmul)) return false;
        device->chunks[i] = command->kernel ? kernel_chunks(device, command)
                                            : matmul_chunks(device, &command->matmul);
    }
    return true;
}

static void execute_measured(CPUDevice *device, CommandList *list) {
    for (size_t i = 0; i < list->count; i++) {
        Execution execution = {device, &list->commands[i], &device->chunks[i]};
        double start = now();
        if (!thread_pool_run(device->pool, 1, &device->chunks[i], run_chunk, &execution,
                             &device->base.error))
            return;
        device_record_time(&device->base, &list->commands[i], now() - start);
    }
}

static void cpu_execute(Device *base, CommandList *list) {
    CPUDevice *device = (CPUDevice *)base;
    if (!plan_chunks(device, list)) return;
    if (device_measures(base)) {
        execute_measured(device, list);
        return;
    }
    Execution execution = {device, list->commands, device->chunks};
    thread_pool_run(device->pool, (uint32_t)list->count, device->chunks, run_chunk, &execution,
                    &base->error);
}

const DeviceTarget device_target_cpu = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .buffer_new = cpu_buffer_new,
    .buffer_wrap = cpu_buffer_wrap,
    .buffer_free = cpu_buffer_free,
    .write = cpu_write,
    .read = cpu_read,
    .execute = cpu_execute,
};
