/* trace.c — a command as it is told to those who watch. */
#include "device_target.h"

#include <stdio.h>
#include <string.h>

double command_bytes(const Command *command) {
    if (!command->kernel) {
        const DeviceMatmul *m = &command->matmul;
        double size = m->type == MATMUL_F16 ? 2 : 4;
        return size * ((double)m->M * m->K + (double)m->N * m->K) + 4.0 * m->M * m->N;
    }
    double bytes = 0;
    for (uint32_t i = 0; i < command->argument_count; i++) {
        const DeviceArgument *argument = &command->arguments[i];
        if (!argument->buffer) continue;
        size_t rest = argument->buffer->size - argument->offset;
        bytes += (double)(argument->bytes ? argument->bytes : rest);
    }
    return bytes;
}

/* Its sizes, by the names of its parameters. */
static void print_shape(char *text, size_t room, const Command *command) {
    const DeviceMatmul *m = &command->matmul;
    int length = 0;
    *text = 0;
    if (!command->kernel) snprintf(text, room, "M=%u K=%u N=%u", m->M, m->K, m->N);
    for (uint32_t i = 0; i < command->argument_count && length < (int)room; i++) {
        const KernelParameter *parameter = &command->kernel->parameters[i];
        if (parameter->kind == PARAMETER_CONSTANT && !strcmp(parameter->type, "uint"))
            length += snprintf(text + length, room - (size_t)length, "%s%s=%u", length ? " " : "",
                               parameter->name, command->arguments[i].value.u32);
    }
}

TracedCommand traced_command(const Command *command, char shape[64], const char *line) {
    const Kernel *kernel = command->kernel;
    print_shape(shape, 64, command);
    return (TracedCommand){.step = command->step ? command->step : "",
                           .why = command->why ? command->why : "",
                           .kernel = kernel ? kernel->name : "matmul",
                           .file = kernel ? kernel->file : "",
                           .shape = shape,
                           .line = line,
                           .bytes = command_bytes(command)};
}
