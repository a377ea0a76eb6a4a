/* device.c — what all targets share: the queue, checks against the kernels' signatures, timings. */
#include "device_target.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const DeviceTarget *const targets[] = {
#if defined(__APPLE__) || defined(METAL_STAND_IN) /* see tests/apple/stand_in/ */
    &device_target_metal,
#endif
#ifndef METAL_LLM_METAL_ONLY
    &device_target_cuda,
    &device_target_cpu,
    &device_target_simt,
#endif
};
enum { target_count = sizeof targets / sizeof *targets };

const char *const *device_targets(void) {
    static const char *names[target_count + 1];
    for (size_t i = 0; i < target_count; i++)
        names[i] = targets[i]->name;
    return names;
}

static Device *open_target(const DeviceTarget *target, const DeviceOptions *options,
                           LLMError *error) {
    if (options->kernels && !target->compiles) {
        error_set(error, LLM_ERROR_ARGUMENT,
                  "the kernels of the device '%s' are compiled with the program: a folder of other "
                  "kernels needs metal or cuda, or edit kernels/ and run make",
                  target->name);
        return NULL;
    }
    Device *device = target->open(options, error);
    if (!device) return NULL;
    device->target = target;
    device->profile = options->profile;
    return device;
}

static Device *open_named(const char *name, const DeviceOptions *options, LLMError *error) {
    for (size_t i = 0; i < target_count; i++)
        if (!strcmp(name, targets[i]->name)) return open_target(targets[i], options, error);
    if (!strcmp(name, "metal"))
        error_set(error, LLM_ERROR_DEVICE, "Metal is Apple's, and not there; use cuda or cpu");
    else
        error_set(error, LLM_ERROR_ARGUMENT, "unknown device '%s'; use metal, cuda, cpu or simt",
                  name);
    return NULL;
}

/* Every Mac has a GPU: if another device is taken instead, its line says why. */
static void say_instead(Device *device, const DeviceTarget *failed, const char *reason) {
    size_t used = strlen(device->description), size = sizeof device->description;
    if (!strcmp(failed->name, "metal"))
        snprintf(device->description + used, size - used, "; not metal: %s", reason);
}

/* The first that opens, of those that are not meant for tests. */
static Device *open_best(const DeviceOptions *options, LLMError *error) {
    char reasons[sizeof error->message] = "";
    size_t used = 0;
    LLMError first = {0};
    LLMStatus status = LLM_OK;
    for (size_t i = 0; i < target_count; i++) {
        LLMError reason = {0};
        if (targets[i]->only_by_name || (options->kernels && !targets[i]->compiles)) continue;
        Device *device = open_target(targets[i], options, &reason);
        if (device && first.status) say_instead(device, targets[0], first.message);
        if (device) return device;
        error_set(&first, reason.status, "%s", reason.message);
        status = reason.status;
        if (used < sizeof reasons)
            used += (size_t)snprintf(reasons + used, sizeof reasons - used, "%s%s: %s",
                                     used ? "; " : "", targets[i]->name, reason.message);
    }
    if (options->kernels)
        error_set(error, LLM_ERROR_ARGUMENT,
                  "a folder of kernels needs a GPU, which compiles them, and none opens here (%s); "
                  "without one, edit kernels/ and run make",
                  reasons);
    else
        error_set(error, status, "%s", reasons);
    return NULL;
}

Device *device_open(const char *name, const DeviceOptions *options, LLMError *error) {
    if (error_is_set(error)) return NULL;
    static const DeviceOptions defaults;
    if (!options) options = &defaults;
    if (options->dry) return open_target(&device_target_dry, options, error);
    if (options->metal_device && !name) name = "metal";
    if (options->metal_device && strcmp(name, "metal")) {
        error_set(error, LLM_ERROR_ARGUMENT,
                  "a Metal device was given, but the device '%s' asked for; leave out one of them",
                  name);
        return NULL;
    }
    return name ? open_named(name, options, error) : open_best(options, error);
}

void device_close(Device *device) {
    if (!device) return;
    free(device->queue.commands);
    free(device->timings);
    device->target->close(device);
}

const char *device_description(const Device *device) {
    return device->description;
}

const char *device_details(const Device *device) {
    return device->details;
}

const DeviceFacts *device_facts(const Device *device) {
    return &device->facts;
}

bool device_failed(const Device *device, LLMError *error) {
    if (device->error.status == LLM_OK) return false;
    error_set(error, device->error.status, "%s", device->error.message);
    return true;
}

bool device_fail(Device *device, LLMStatus status, const char *format, ...) {
    char message[sizeof device->error.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return error_set(&device->error, status, "%s", message);
}

/* --- memory --- */

static DeviceBuffer *buffer_made(Device *device, DeviceBuffer *buffer, size_t bytes) {
    if (!buffer) {
        error_memory(&device->error, bytes);
        return NULL;
    }
    buffer->device = device;
    buffer->size = bytes;
    return buffer;
}

uint64_t device_host_memory(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

uint64_t device_memory(const Device *device) {
    return device->memory;
}

bool device_has_room(Device *device, size_t bytes) {
    const double gib = 1 << 30;
    return !device->memory || bytes <= device->memory ||
           device_fail(device, LLM_ERROR_MEMORY,
                       "the weights take %.1f GiB, and there are %.1f GiB of memory; use a smaller "
                       "model or type",
                       (double)bytes / gib, (double)device->memory / gib);
}

DeviceBuffer *device_buffer_new(Device *device, size_t bytes) {
    if (device->error.status) return NULL;
    return buffer_made(device, device->target->buffer_new(device, bytes), bytes);
}

DeviceBuffer *device_buffer_wrap(Device *device, const void *data, size_t bytes) {
    if (device->error.status) return NULL;
    return buffer_made(device, device->target->buffer_wrap(device, data, bytes), bytes);
}

void device_buffer_free(DeviceBuffer *buffer) {
    if (buffer) buffer->device->target->buffer_free(buffer);
}

size_t device_buffer_size(const DeviceBuffer *buffer) {
    return buffer->size;
}

static bool extent_inside(DeviceBuffer *buffer, size_t offset, size_t bytes) {
    if (offset <= buffer->size && bytes <= buffer->size - offset) return true;
    return device_fail(buffer->device, LLM_ERROR_ARGUMENT,
                       "copy of %zu bytes at %zu exceeds a buffer of %zu", bytes, offset,
                       buffer->size);
}

static void finish_queued(Device *device) {
    device_wait(device, device_submit(device));
}

void device_write(DeviceBuffer *buffer, size_t offset, const void *data, size_t bytes) {
    if (!buffer || buffer->device->error.status || !extent_inside(buffer, offset, bytes)) return;
    finish_queued(buffer->device);
    buffer->device->target->write(buffer, offset, data, bytes);
}

void device_read(DeviceBuffer *buffer, size_t offset, void *data, size_t bytes) {
    if (!buffer || buffer->device->error.status || !extent_inside(buffer, offset, bytes)) return;
    finish_queued(buffer->device);
    buffer->device->target->read(buffer, offset, data, bytes);
}

/* --- checks --- */

static const Kernel *find_kernel(Device *device, const char *name) {
    if (!name) {
        device_fail(device, LLM_ERROR_ARGUMENT, "there is no kernel for this type of weights");
        return NULL;
    }
    for (size_t i = 0; i < kernel_count; i++)
        if (!strcmp(kernel_table[i].name, name)) return &kernel_table[i];
    device_fail(device, LLM_ERROR_ARGUMENT, "there is no kernel '%s'", name);
    return NULL;
}

static bool check_buffer(Device *device, const Kernel *kernel, const KernelParameter *parameter,
                         const DeviceArgument *argument) {
    if (!argument->buffer)
        return device_fail(device, LLM_ERROR_ARGUMENT, "%s: '%s' must be a buffer", kernel->name,
                           parameter->name);
    if (argument->offset >= argument->buffer->size ||
        argument->bytes > argument->buffer->size - argument->offset ||
        (parameter->size && argument->offset % parameter->size))
        return device_fail(device, LLM_ERROR_ARGUMENT,
                           "%s: '%s': offset %zu does not fit a buffer of %zu bytes", kernel->name,
                           parameter->name, argument->offset, argument->buffer->size);
    return true;
}

static bool check_value(Device *device, const Kernel *kernel, const KernelParameter *parameter,
                        const DeviceArgument *argument) {
    if (argument->buffer || (parameter->size && argument->size != parameter->size))
        return device_fail(device, LLM_ERROR_ARGUMENT, "%s: '%s' must be a value of type %s",
                           kernel->name, parameter->name, parameter->type);
    return true;
}

/* Kernels may assume that what they write is reached through one parameter only. */
static bool check_aliases(Device *device, const Kernel *kernel, const DeviceArgument *arguments,
                          uint32_t written) {
    for (uint32_t i = 0; i < kernel->parameter_count; i++)
        if (i != written && arguments[i].buffer && arguments[i].buffer == arguments[written].buffer)
            return device_fail(device, LLM_ERROR_ARGUMENT,
                               "%s: '%s' is written and may not share its buffer with '%s'",
                               kernel->name, kernel->parameters[written].name,
                               kernel->parameters[i].name);
    return true;
}

static bool check_arguments(Device *device, const Kernel *kernel, const DeviceArgument *arguments,
                            size_t count) {
    if (count != kernel->parameter_count || count > COMMAND_ARGUMENTS)
        return device_fail(device, LLM_ERROR_ARGUMENT, "%s takes %u arguments, not %zu",
                           kernel->name, kernel->parameter_count, count);
    for (uint32_t i = 0; i < count; i++) {
        const KernelParameter *parameter = &kernel->parameters[i];
        bool is_buffer = parameter->kind == PARAMETER_READ || parameter->kind == PARAMETER_WRITE;
        if (!(is_buffer ? check_buffer : check_value)(device, kernel, parameter, &arguments[i]))
            return false;
        if (parameter->kind == PARAMETER_WRITE && !check_aliases(device, kernel, arguments, i))
            return false;
    }
    return true;
}

/* Rows begin `stride` elements of `size` bytes apart. */
static bool check_matrix(Device *device, const DeviceArgument *argument, size_t rows,
                         size_t columns, size_t stride, size_t size, const char *name) {
    size_t rest = argument->buffer && argument->offset <= argument->buffer->size
                      ? argument->buffer->size - argument->offset
                      : 0;
    bool has_room = columns <= stride && columns <= rest / size;
    if (rows && columns && has_room && rows - 1 <= (rest / size - columns) / stride) return true;
    return device_fail(device, LLM_ERROR_ARGUMENT, "matmul: %s [%zu,%zu] exceeds its buffer", name,
                       rows, columns);
}

/* --- queue --- */

static Command *append(Device *device) {
    CommandList *list = device->recording ? &device->recording->list : &device->queue;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 256;
        Command *commands = realloc(list->commands, capacity * sizeof *commands);
        if (!commands) return error_memory(&device->error, capacity * sizeof *commands);
        list->commands = commands;
        list->capacity = capacity;
    }
    Command *command = &list->commands[list->count++];
    memset(command, 0, sizeof *command);
    command->step = device->step;
    command->why = device->why;
    return command;
}

static uint32_t find_timing(Device *device, const char *name) {
    for (size_t i = 0; i < device->timing_count; i++)
        if (!strcmp(device->timings[i].kernel, name)) return (uint32_t)i;
    size_t bytes = (device->timing_count + 1) * sizeof *device->timings;
    LLMTiming *timings = realloc(device->timings, bytes);
    if (!timings) {
        error_memory(&device->error, bytes);
        return 0;
    }
    device->timings = timings;
    timings[device->timing_count] = (LLMTiming){.size = sizeof(LLMTiming), .kernel = name};
    return (uint32_t)device->timing_count++;
}

void device_note(Device *device, const char *step, const char *why) {
    device->step = step;
    device->why = why;
}

bool device_prepare(Device *device, const char *name) {
    if (device->error.status) return false;
    const Kernel *kernel = find_kernel(device, name);
    return kernel && (!device->target->prepare || device->target->prepare(device, kernel));
}

bool device_prepare_all(Device *device) {
    return !device->error.status && device->target->prepare_all &&
           device->target->prepare_all(device);
}

void device_dispatch(Device *device, const char *name, DeviceGrid grid,
                     const DeviceArgument *arguments, size_t count) {
    if (device->error.status) return;
    const Kernel *kernel = find_kernel(device, name);
    if (!kernel || !check_arguments(device, kernel, arguments, count)) return;
    if (grid.x == 0) {
        device_fail(device, LLM_ERROR_ARGUMENT, "%s: empty grid", name);
        return;
    }
    Command *command = append(device);
    if (!command) return;
    command->kernel = kernel;
    command->grid = grid;
    if (grid.y == 0) command->grid.y = 1;
    if (grid.z == 0) command->grid.z = 1;
    command->argument_count = (uint32_t)count;
    memcpy(command->arguments, arguments, count * sizeof *arguments);
    if (device->profile) command->timing = find_timing(device, kernel->name);
}

void device_matmul(Device *device, const DeviceMatmul *matmul) {
    if (device->error.status) return;
    size_t size = matmul->type == MATMUL_F16 ? 2 : 4, M = matmul->M, N = matmul->N, K = matmul->K;
    if (!check_matrix(device, &matmul->x, M, K, K, size, "x") ||
        !check_matrix(device, &matmul->weight, N, K, K, size, "weight") ||
        !check_matrix(device, &matmul->out, M, N, matmul->stride, 4, "out"))
        return;
    Command *command = append(device);
    if (!command) return;
    command->matmul = *matmul;
    if (device->profile) command->timing = find_timing(device, "matmul");
}

void device_record(Device *device) {
    if (device->error.status) return;
    device->recording = calloc(1, sizeof *device->recording);
    if (!device->recording) {
        error_memory(&device->error, sizeof *device->recording);
        return;
    }
    device->recording->device = device;
}

DeviceStep *device_record_end(Device *device) {
    DeviceStep *step = device->recording;
    device->recording = NULL;
    if (!device->error.status) return step;
    device_step_free(step);
    return NULL;
}

static void execute_queue(Device *device) {
    if (device->queue.count && !device->error.status)
        device->target->execute(device, &device->queue);
    device->queue.count = 0;
}

void device_replay(Device *device, DeviceStep *step) {
    if (device->error.status) return;
    execute_queue(device);
    if (device->target->replay)
        device->target->replay(device, step);
    else
        device->target->execute(device, &step->list);
}

void device_step_free(DeviceStep *step) {
    if (!step) return;
    if (step->device->target->step_free) step->device->target->step_free(step);
    free(step->list.commands);
    free(step);
}

uint64_t device_submit(Device *device) {
    execute_queue(device);
    device->submission++;
    if (device->target->submit && !device->error.status)
        device->target->submit(device, device->submission);
    return device->submission;
}

void device_wait(Device *device, uint64_t submission) {
    if (device->target->wait && !device->error.status) device->target->wait(device, submission);
}

uint32_t device_run_ahead(const Device *device) {
    return device->target->run_ahead;
}

void device_read_after(Device *device, uint64_t submission, DeviceBuffer *buffer, size_t offset,
                       void *data, size_t bytes) {
    if (device->error.status || !extent_inside(buffer, offset, bytes)) return;
    if (device->target->read_after)
        device->target->read_after(device, submission, buffer, offset, data, bytes);
    else
        device->target->read(buffer, offset, data, bytes);
}

/* --- measuring --- */

void device_record_time(Device *device, const Command *command, double seconds) {
    if (device->trace) {
        char shape[64];
        TracedCommand traced = traced_command(command, shape, "");
        traced.seconds = seconds;
        device->trace(device->trace_context, &traced);
        return;
    }
    LLMTiming *timing = &device->timings[command->timing];
    timing->calls++;
    timing->seconds += seconds;
    timing->bytes += command_bytes(command);
}

size_t device_timings(Device *device, const LLMTiming **timings) {
    *timings = device->timings;
    return device->timing_count;
}

void device_timings_reset(Device *device) {
    for (size_t i = 0; i < device->timing_count; i++)
        device->timings[i] =
            (LLMTiming){.size = sizeof(LLMTiming), .kernel = device->timings[i].kernel};
}

void device_trace(Device *device, DeviceTrace trace, void *context) {
    finish_queued(device);
    device->trace = trace;
    device->trace_context = context;
}
