/* dry_context.c — a device that runs nothing: it tells what another would be given to do. */
#include "device_target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- machines by name --- */

static const struct {
    const char *name;
    DeviceFacts facts;
} machines[] = {
    {"cpu", {.simd_width = 1, .simdgroups = UINT32_MAX}},
    {"cpu-vnni", {.simd_width = 1, .simdgroups = UINT32_MAX, .byte_products = true}},
    {"simt", {.simd_width = 32, .simdgroups = 12, .byte_products = true}},
    {"m1", {.simd_width = 32, .simdgroups = 512}},
    {"h200", {.simd_width = 32, .simdgroups = 16 * 132, .prefers_halves = true}},
};

const char *const device_facts_names[] = {"cpu", "cpu-vnni", "simt", "m1", "h200", NULL};

const DeviceFacts *device_facts_named(const char *name) {
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (!strcmp(machines[i].name, name)) return &machines[i].facts;
    return NULL;
}

/* --- a device without memory --- */

typedef struct DryDevice {
    Device base;
    const DryRun *run;
} DryDevice;

static Device *dry_open(const DeviceOptions *options, LLMError *error) {
    DryDevice *device = calloc(1, sizeof *device);
    if (!device) return error_memory(error, sizeof *device);
    device->run = options->dry;
    device->base.facts = options->dry->facts;
    snprintf(device->base.description, sizeof device->base.description, "dry: runs nothing");
    return &device->base;
}

static void dry_close(Device *device) {
    free(device);
}

static DeviceBuffer *dry_buffer_new(Device *device, size_t bytes) {
    (void)device, (void)bytes;
    return calloc(1, sizeof(DeviceBuffer));
}

static DeviceBuffer *dry_buffer_wrap(Device *device, const void *data, size_t bytes) {
    (void)data;
    return dry_buffer_new(device, bytes);
}

static void dry_buffer_free(DeviceBuffer *buffer) {
    free(buffer);
}

static void dry_write(DeviceBuffer *buffer, size_t offset, const void *data, size_t bytes) {
    (void)buffer, (void)offset, (void)data, (void)bytes;
}

static void dry_read(DeviceBuffer *buffer, size_t offset, void *data, size_t bytes) {
    (void)buffer, (void)offset;
    memset(data, 0, bytes);
}

/* --- what would be run --- */

/* The bytes that a kernel moves, after those before them in the buffer. */
static int print_buffer(char *text, size_t room, const DeviceArgument *argument) {
    size_t bytes = argument->bytes ? argument->bytes : argument->buffer->size - argument->offset;
    if (!argument->offset) return snprintf(text, room, " %zu", bytes);
    return snprintf(text, room, " %zu+%zu", argument->offset, bytes);
}

static int print_argument(char *text, size_t room, const KernelParameter *parameter,
                          const DeviceArgument *argument) {
    if (argument->buffer) return print_buffer(text, room, argument);
    if (!strcmp(parameter->type, "float"))
        return snprintf(text, room, " %.6g", (double)argument->value.f32);
    return snprintf(text, room, " %" PRIu64,
                    argument->size == 4 ? argument->value.u32 : argument->value.u64);
}

static void print_kernel(char *text, size_t room, const Command *command) {
    static const char *const items[] = {"threads", "simdgroups", "threadgroups"};
    const DeviceGrid *grid = &command->grid;
    int length = snprintf(text, room, "%s %u×%u×%u %s", command->kernel->name, grid->x, grid->y,
                          grid->z, items[grid->item]);
    if (grid->threads)
        length += snprintf(text + length, room - (size_t)length, " of %u", grid->threads);
    length += snprintf(text + length, room - (size_t)length, ":");
    for (uint32_t i = 0; i < command->argument_count; i++)
        length += print_argument(text + length, room - (size_t)length,
                                 &command->kernel->parameters[i], &command->arguments[i]);
}

static void print_matmul(char *text, size_t room, const DeviceMatmul *m) {
    snprintf(text, room, "matmul %s %u×%u×%u to rows of %u: +%zu +%zu +%zu",
             m->type == MATMUL_F16 ? "f16" : "f32", m->M, m->N, m->K, m->stride, m->x.offset,
             m->weight.offset, m->out.offset);
}

static void dry_execute(Device *base, CommandList *list) {
    const DryRun *run = ((DryDevice *)base)->run;
    char shape[64];
    char line[1024]; /* 24 arguments of at most 42 digits do not come near */
    for (size_t i = 0; i < list->count; i++) {
        const Command *command = &list->commands[i];
        if (command->kernel)
            print_kernel(line, sizeof line, command);
        else
            print_matmul(line, sizeof line, &command->matmul);
        TracedCommand traced = traced_command(command, shape, line);
        run->trace(run->context, &traced);
    }
}

const DeviceTarget device_target_dry = {
    .name = "dry",
    .open = dry_open,
    .close = dry_close,
    .buffer_new = dry_buffer_new,
    .buffer_wrap = dry_buffer_wrap,
    .buffer_free = dry_buffer_free,
    .write = dry_write,
    .read = dry_read,
    .execute = dry_execute,
};
