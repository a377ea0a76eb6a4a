/* metal_context.c — Apple GPUs, in plain C through the Objective-C runtime (metal_objc.h).
 *
 * What is queued goes into one command buffer, which device_submit hands over: kernels into one
 * encoder, in which they run one after the other, matrix products beside it. Memory is shared with
 * the CPU, so reading and writing is copying; model files are used where they are mapped.
 */
#include "device_target.h"
#include "kernel_sources.h"
#include "metal_compile.h"
#include "metal_facts.h"
#include "metal_matrix.h"
#include "metal_objc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    THREADS = 256,       /* of a threadgroup, for grids of threads and threadgroups */
    GROUP_THREADS = 128, /* for grids of simdgroups */
    MOST_THREADS = 1024, /* where there are few threadgroups: */
    FEW_GROUPS = 16,
    LANES = 32,         /* that the kernels are written for */
    SIMDGROUPS = 512,   /* no call tells how many run at once: those of 16 cores with 32 each */
    IN_FLIGHT = 32,     /* command buffers; a queue takes 64 */
    LEAST_BYTES = 16,   /* of a buffer: what MPS wants */
    WRAP_BYTES = 65536, /* less is cheaper to copy than to map */
    ALIGNMENT = 16,     /* of what kernels read */
};

typedef struct MetalKernel {
    id pipeline; /* NULL until first used */
    uint32_t max_threads;
} MetalKernel;

/* A command buffer that the GPU has not been seen to finish. */
typedef struct MetalCommands {
    id commands;
    uint64_t submission;
} MetalCommands;

typedef struct MetalDevice {
    Device base;
    id device, queue;
    MetalKernel *kernels; /* in the order of kernel_table */
    id *libraries;        /* in the order of kernel_sources */
    char *folder;         /* of the kernels' sources; NULL: those built in */
    MetalProducts products;
    id commands, encoder;               /* being written, NULL if there are none */
    MetalCommands in_flight[IN_FLIGHT]; /* a ring, the oldest first */
    uint32_t first, flying;
} MetalDevice;

typedef struct MetalBuffer {
    DeviceBuffer base;
    id buffer;
    size_t start; /* of the contents in it */
    unsigned char *contents;
    bool is_wrapped; /* over memory of the caller */
} MetalBuffer;

/* --- command buffers --- */

static bool open_commands(MetalDevice *device) {
    if (device->commands) return true;
    id commands = send(command_buffer, device->queue);
    if (!commands) return device_fail(&device->base, LLM_ERROR_DEVICE, "metal: no command buffer");
    device->commands = send(retain, commands);
    return true;
}

static bool open_encoder(MetalDevice *device) {
    if (device->encoder) return true;
    id encoder = send(compute_encoder, device->commands);
    if (!encoder) return device_fail(&device->base, LLM_ERROR_DEVICE, "metal: no encoder");
    device->encoder = send(retain, encoder);
    return true;
}

static void close_encoder(MetalDevice *device) {
    if (device->encoder) send(end_encoding, device->encoder);
    metal_release(&device->encoder);
}

/* Wait for the oldest in flight. Returns the seconds that the GPU took for it. */
static double finish_oldest(MetalDevice *device) {
    id commands = device->in_flight[device->first].commands;
    device->first = (device->first + 1) % IN_FLIGHT;
    device->flying--;
    send(wait, commands);
    if (send(status, commands) == MTL_COMMANDS_FAILED)
        device_fail(&device->base, LLM_ERROR_DEVICE, "metal: a step failed: %s",
                    metal_error_text(send(error, commands)));
    double seconds = send(gpu_end, commands) - send(gpu_start, commands);
    metal_release(&commands);
    return seconds;
}

static void finish_all(MetalDevice *device) {
    while (device->flying)
        finish_oldest(device);
}

/* Hand over what has been encoded. */
static void commit(MetalDevice *device, uint64_t submission) {
    close_encoder(device);
    if (!device->commands) return;
    if (device->flying == IN_FLIGHT) finish_oldest(device);
    send(commit, device->commands);
    uint32_t last = (device->first + device->flying++) % IN_FLIGHT;
    device->in_flight[last] = (MetalCommands){device->commands, submission};
    device->commands = NULL;
}

/* --- open --- */

static id find_device(void *given, LLMError *error) {
    id device = given ? send(retain, (id)given) : MTLCreateSystemDefaultDevice();
    const char *reason = metal_unsuited(device);
    if (!reason) return device;
    error_set(error, LLM_ERROR_DEVICE, "%s; use the device cpu", reason);
    metal_release(&device);
    return NULL;
}

static void describe(MetalDevice *device) {
    id name = send(name, device->device);
    snprintf(device->base.description, sizeof device->base.description, "metal: %s, %.0f GiB%s",
             name ? send(text, name) : "GPU",
             (double)send(working_set, device->device) / (1024.0 * 1024 * 1024),
             device->base.facts.lacks_matrices ? ", without matrix units" : "");
    metal_details(device->device, device->base.details, sizeof device->base.details);
}

static void metal_close(Device *base);

static bool start(MetalDevice *device, const DeviceOptions *options) {
    LLMError *error = &device->base.error;
    device->queue = send(new_queue, device->device);
    if (!device->queue) return error_set(error, LLM_ERROR_DEVICE, "metal: no command queue");
    device->base.facts = (DeviceFacts){.simd_width = LANES,
                                       .simdgroups = SIMDGROUPS,
                                       .lacks_matrices = !metal_has_matrices(device->device)};
    device->kernels = calloc(kernel_count, sizeof *device->kernels);
    device->libraries = calloc(kernel_source_count, sizeof *device->libraries);
    if (options->kernels) device->folder = strdup(options->kernels);
    if (!device->kernels || !device->libraries || (options->kernels && !device->folder))
        return error_memory(error, kernel_count * sizeof *device->kernels);
    describe(device);
    return true;
}

static Device *metal_open(const DeviceOptions *options, LLMError *error) {
    MetalDevice *device = calloc(1, sizeof *device);
    if (!device) return error_memory(error, sizeof *device);
    id pool = metal_pool_open();
    device->device = find_device(options->metal_device, error);
    bool started = device->device && start(device, options);
    if (device->device && !started) device_failed(&device->base, error);
    if (!started) metal_close(&device->base);
    metal_pool_close(pool);
    return started ? &device->base : NULL;
}

static void metal_close(Device *base) {
    MetalDevice *device = (MetalDevice *)base;
    id pool = metal_pool_open();
    finish_all(device);
    close_encoder(device);
    metal_release(&device->commands);
    metal_products_free(&device->products);
    for (size_t i = 0; device->kernels && i < kernel_count; i++)
        metal_release(&device->kernels[i].pipeline);
    for (size_t i = 0; device->libraries && i < kernel_source_count; i++)
        metal_release(&device->libraries[i]);
    metal_release(&device->queue);
    metal_release(&device->device);
    metal_pool_close(pool);
    free(device->kernels);
    free(device->libraries);
    free(device->folder);
    free(device);
}

/* --- memory --- */

/* The device has failed if this GPU should not take so many bytes more. */
static bool has_room(MetalDevice *device, size_t bytes) {
    size_t largest = send(max_buffer, device->device), taken = send(allocated, device->device);
    size_t working_set = send(working_set, device->device); /* 0 where it is not known */
    if (bytes > largest)
        return device_fail(&device->base, LLM_ERROR_MEMORY,
                           "a buffer of %.1f MiB is more than this GPU takes (%.1f); use a smaller "
                           "model, context or batch",
                           (double)bytes / (1 << 20), (double)largest / (1 << 20));
    if (working_set && (taken > working_set || bytes > working_set - taken))
        return device_fail(&device->base, LLM_ERROR_MEMORY,
                           "the GPU's share of memory is full: %.1f MiB are wanted, %.1f of %.1f "
                           "are taken; use a smaller model, context or batch",
                           (double)bytes / (1 << 20), (double)taken / (1 << 20),
                           (double)working_set / (1 << 20));
    return true;
}

/* NULL if memory is out; takes over `buffer`. */
static MetalBuffer *buffer_of(id buffer, size_t start) {
    MetalBuffer *made = buffer ? calloc(1, sizeof *made) : NULL;
    if (!made) {
        metal_release(&buffer);
        return NULL;
    }
    made->buffer = buffer;
    made->start = start;
    made->contents = (unsigned char *)send(contents, buffer) + start;
    return made;
}

static MetalBuffer *new_buffer(MetalDevice *device, size_t bytes) {
    if (!has_room(device, bytes)) return NULL;
    NSUInteger length = bytes < LEAST_BYTES ? LEAST_BYTES : bytes;
    return buffer_of(send(new_buffer, device->device, length, MTL_STORAGE_SHARED), 0);
}

/* Over the pages in which the data lies. NULL if it is not worth it or Metal does not take them. */
static MetalBuffer *wrap_pages(MetalDevice *device, const void *data, size_t bytes) {
    size_t page = (size_t)getpagesize(), start = (uintptr_t)data % page;
    size_t whole = (start + bytes + page - 1) / page * page;
    if (bytes < WRAP_BYTES || start % ALIGNMENT || !has_room(device, whole)) return NULL;
    void *pages = (char *)data - start;
    MetalBuffer *buffer = buffer_of(
        send(new_buffer_over, device->device, pages, whole, MTL_STORAGE_SHARED, NULL), start);
    if (buffer) buffer->is_wrapped = true;
    return buffer;
}

static DeviceBuffer *metal_buffer_new(Device *base, size_t bytes) {
    id pool = metal_pool_open();
    MetalBuffer *buffer = new_buffer((MetalDevice *)base, bytes);
    metal_pool_close(pool);
    return (DeviceBuffer *)buffer;
}

static DeviceBuffer *metal_buffer_wrap(Device *base, const void *data, size_t bytes) {
    MetalDevice *device = (MetalDevice *)base;
    id pool = metal_pool_open();
    MetalBuffer *buffer = wrap_pages(device, data, bytes);
    if (!buffer && !base->error.status) {
        buffer = new_buffer(device, bytes);
        if (buffer) memcpy(buffer->contents, data, bytes);
    }
    metal_pool_close(pool);
    return (DeviceBuffer *)buffer;
}

/* A command buffer keeps what it uses, but not the memory of others. */
static void metal_buffer_free(DeviceBuffer *base) {
    MetalBuffer *buffer = (MetalBuffer *)base;
    id pool = metal_pool_open();
    if (buffer->is_wrapped) finish_all((MetalDevice *)base->device);
    metal_release(&buffer->buffer);
    metal_pool_close(pool);
    free(buffer);
}

static void metal_write(DeviceBuffer *buffer, size_t offset, const void *data, size_t bytes) {
    memcpy(((MetalBuffer *)buffer)->contents + offset, data, bytes);
}

static void metal_read(DeviceBuffer *buffer, size_t offset, void *data, size_t bytes) {
    memcpy(data, ((MetalBuffer *)buffer)->contents + offset, bytes);
}

static MetalPlace place_of(const DeviceArgument *argument) {
    const MetalBuffer *buffer = (const MetalBuffer *)argument->buffer;
    return (MetalPlace){buffer->buffer, buffer->start + argument->offset};
}

/* --- kernels --- */

static id load_library(MetalDevice *device, const char *file) {
    size_t i = 0;
    while (strcmp(kernel_sources[i].file, file))
        i++;
    id *library = &device->libraries[i];
    if (*library) return *library;
    LLMError *error = &device->base.error;
    char *text = kernel_source_text(device->folder, file, NULL, error);
    if (text) *library = metal_compile(device->device, file, text, error);
    free(text);
    return *library;
}

/* NULL if it cannot be loaded. */
static const MetalKernel *load_kernel(MetalDevice *device, const Kernel *kernel) {
    MetalKernel *loaded = &device->kernels[kernel - kernel_table];
    if (loaded->pipeline) return loaded;
    id library = load_library(device, kernel->file);
    if (!library) return NULL;
    id pipeline = metal_pipeline(device->device, library, kernel->name, &device->base.error);
    if (!pipeline) return NULL;
    NSUInteger lanes = send(simd_width, pipeline);
    loaded->pipeline = pipeline;
    loaded->max_threads = (uint32_t)send(max_threads, pipeline);
    if (lanes == LANES) return loaded;
    device_fail(&device->base, LLM_ERROR_DEVICE,
                "%s: this GPU's simdgroups have %lu lanes, not %d; use the device cpu",
                kernel->name, lanes, LANES);
    return NULL;
}

static bool metal_prepare(Device *base, const Kernel *kernel) {
    id pool = metal_pool_open();
    bool loaded = load_kernel((MetalDevice *)base, kernel) != NULL;
    metal_pool_close(pool);
    return loaded;
}

/* Of a threadgroup: many where there are few threadgroups, as many as the kernel's registers
 * allow. */
static uint32_t choose_threads(const MetalKernel *kernel, const DeviceGrid *grid) {
    uint64_t items = (uint64_t)grid->x * grid->y * grid->z;
    uint32_t threads = grid->threads;
    if (!threads && grid->item == ITEM_THREADGROUP)
        threads = items < FEW_GROUPS ? MOST_THREADS : THREADS;
    else if (!threads && grid->item == ITEM_SIMDGROUP)
        threads = GROUP_THREADS;
    else if (!threads)
        threads = grid->x < THREADS ? (grid->x + LANES - 1) / LANES * LANES : THREADS;
    return threads < kernel->max_threads ? threads : kernel->max_threads;
}

static bool lay_out(MetalDevice *device, const Command *command, const MetalKernel *kernel,
                    MTLSize *groups, MTLSize *threads) {
    const DeviceGrid *grid = &command->grid;
    uint32_t count = choose_threads(kernel, grid), items = 1; /* of a threadgroup */
    if (grid->item == ITEM_THREAD) items = count;
    if (grid->item == ITEM_SIMDGROUP) items = (count + LANES - 1) / LANES;
    *threads = (MTLSize){count, 1, 1};
    *groups = (MTLSize){grid->x / items + (grid->x % items != 0), grid->y, grid->z};
    if (groups->width <= UINT32_MAX / count) return true;
    return device_fail(&device->base, LLM_ERROR_DEVICE, "%s: a grid of more than 2^32 threads",
                       command->kernel->name);
}

/* --- execution --- */

static void bind_arguments(id encoder, const Command *command) {
    for (uint32_t i = 0; i < command->argument_count; i++) {
        const KernelParameter *parameter = &command->kernel->parameters[i];
        const DeviceArgument *argument = &command->arguments[i];
        if (parameter->kind == PARAMETER_THREADGROUP) {
            send(set_scratch, encoder, (argument->value.u64 + 15) / 16 * 16, parameter->index);
        } else if (argument->buffer) {
            MetalPlace place = place_of(argument);
            send(set_buffer, encoder, place.buffer, place.offset, parameter->index);
        } else {
            send(set_bytes, encoder, &argument->value, argument->size, parameter->index);
        }
    }
}

static bool encode_kernel(MetalDevice *device, const Command *command) {
    MTLSize groups, threads;
    const MetalKernel *kernel = load_kernel(device, command->kernel);
    if (!kernel || !lay_out(device, command, kernel, &groups, &threads) || !open_encoder(device))
        return false;
    send(set_pipeline, device->encoder, kernel->pipeline);
    bind_arguments(device->encoder, command);
    send(dispatch_groups, device->encoder, groups, threads);
    return true;
}

static bool encode_matmul(MetalDevice *device, const DeviceMatmul *m) {
    close_encoder(device);
    if (metal_multiply(&device->products, device->device, device->commands, m, place_of(&m->x),
                       place_of(&m->weight), place_of(&m->out)))
        return true;
    return device_fail(&device->base, LLM_ERROR_DEVICE,
                       "metal: no matrix product of [%u,%u] and [%u,%u]", m->M, m->K, m->N, m->K);
}

static bool encode(MetalDevice *device, const Command *command) {
    if (!open_commands(device)) return false;
    return command->kernel ? encode_kernel(device, command)
                           : encode_matmul(device, &command->matmul);
}

static void run_measured(MetalDevice *device, const Command *command) {
    if (!encode(device, command)) return;
    commit(device, 0);
    double seconds = finish_oldest(device);
    if (!device->base.error.status) device_record_time(&device->base, command, seconds);
}

static void metal_execute(Device *base, CommandList *list) {
    MetalDevice *device = (MetalDevice *)base;
    id pool = metal_pool_open();
    for (size_t i = 0; i < list->count && !base->error.status; i++) {
        if (device_measures(base))
            run_measured(device, &list->commands[i]);
        else
            encode(device, &list->commands[i]);
    }
    metal_pool_close(pool);
}

static void metal_submit(Device *base, uint64_t submission) {
    id pool = metal_pool_open();
    commit((MetalDevice *)base, submission);
    metal_pool_close(pool);
}

static void metal_wait(Device *base, uint64_t submission) {
    MetalDevice *device = (MetalDevice *)base;
    id pool = metal_pool_open();
    while (device->flying && device->in_flight[device->first].submission <= submission)
        finish_oldest(device);
    metal_pool_close(pool);
}

static void metal_read_after(Device *base, uint64_t submission, DeviceBuffer *buffer, size_t offset,
                             void *data, size_t bytes) {
    metal_wait(base, submission);
    if (!base->error.status) metal_read(buffer, offset, data, bytes);
}

const DeviceTarget device_target_metal = {
    .name = "metal",
    .compiles = true,
    .run_ahead = 4,
    .open = metal_open,
    .close = metal_close,
    .buffer_new = metal_buffer_new,
    .buffer_wrap = metal_buffer_wrap,
    .buffer_free = metal_buffer_free,
    .write = metal_write,
    .read = metal_read,
    .prepare = metal_prepare,
    .execute = metal_execute,
    .submit = metal_submit,
    .wait = metal_wait,
    .read_after = metal_read_after,
};
