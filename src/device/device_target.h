/* device_target.h — what stands behind device.h: one of these per target (cpu_context.c, …). */
#ifndef METAL_LLM_DEVICE_TARGET_H
#define METAL_LLM_DEVICE_TARGET_H

#include "device.h"

enum { COMMAND_ARGUMENTS = 24 };

/* One queued piece of work, its arguments already checked against the kernel's signature. */
typedef struct Command {
    const Kernel *kernel; /* NULL: a matmul */
    DeviceGrid grid;      /* x, y, z all at least 1 */
    uint32_t argument_count;
    DeviceArgument arguments[COMMAND_ARGUMENTS]; /* in the order of kernel->parameters */
    DeviceMatmul matmul;
    float item_seconds;     /* the target's own measure of one item's cost, 0 until known */
    const char *step, *why; /* see device_note */
    uint32_t timing;        /* index into the device's timings, when profiling */
} Command;

typedef struct CommandList {
    Command *commands;
    size_t count, capacity;
} CommandList;

/* A recorded step: its commands, and what the target made of them, if anything. */
struct DeviceStep {
    Device *device;
    CommandList list;
    void *native;
};

struct DeviceBuffer {
    Device *device;
    size_t size;
};

/* A target's functions. All may report failure with device_fail. */
typedef struct DeviceTarget {
    const char *name;
    bool compiles;      /* the kernels at run time: options.kernels may name a folder */
    bool only_by_name;  /* a slow one, for tests: never the best that is present */
    uint32_t run_ahead; /* see device_run_ahead */
    /* NULL and `error` when the target is absent or cannot be opened; the message says why. */
    Device *(*open)(const DeviceOptions *options, LLMError *error);
    void (*close)(Device *device);
    DeviceBuffer *(*buffer_new)(Device *device, size_t bytes);
    DeviceBuffer *(*buffer_wrap)(Device *device, const void *data, size_t bytes);
    void (*buffer_free)(DeviceBuffer *buffer);
    /* Everything queued has been executed and waited for; extents are checked. */
    void (*write)(DeviceBuffer *buffer, size_t offset, const void *data, size_t bytes);
    void (*read)(DeviceBuffer *buffer, size_t offset, void *data, size_t bytes);
    /* Compile a kernel; NULL where that is done with the program. */
    bool (*prepare)(Device *device, const Kernel *kernel);
    bool (*prepare_all)(Device *device); /* NULL: one after the other, by prepare */
    /* Start the commands in order. If device_measures, report each to device_record_time. */
    void (*execute)(Device *device, CommandList *list);
    /* NULL: a replay executes the step's list. */
    void (*replay)(Device *device, DeviceStep *step);
    void (*step_free)(DeviceStep *step);
    /* NULL where execute returns when all is done. `submission` numbers calls of submit from 1. */
    void (*submit)(Device *device, uint64_t submission);
    void (*wait)(Device *device, uint64_t submission);
    void (*read_after)(Device *device, uint64_t submission, DeviceBuffer *buffer, size_t offset,
                       void *data, size_t bytes);
} DeviceTarget;

/* First member of every target's own device structure; device.c fills and owns it. */
struct Device {
    const DeviceTarget *target;
    char description[256];
    char details[256]; /* see device_details */
    LLMError error;
    bool profile;
    DeviceTrace trace; /* NULL: nobody is told */
    void *trace_context;
    DeviceFacts facts;      /* set by open */
    uint64_t memory;        /* bytes, set by open; 0: not known */
    const char *step, *why; /* see device_note */
    CommandList queue;
    DeviceStep *recording;
    uint64_t submission;
    LLMTiming *timings;
    size_t timing_count;
};

extern const DeviceTarget device_target_metal, device_target_cuda, device_target_cpu,
    device_target_simt, device_target_dry;

/* The machine's own memory in bytes, 0 if it cannot be told. */
uint64_t device_host_memory(void);
/* Record the device's first error. Always returns false. */
bool device_fail(Device *device, LLMStatus status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Whether commands are run and measured one by one. */
static inline bool device_measures(const Device *device) {
    return device->profile || device->trace;
}
/* One command took this long. */
void device_record_time(Device *device, const Command *command, double seconds);

/* That a command reads and writes at least. */
double command_bytes(const Command *command);
/* As it is told; `shape` and `line` are the caller's. */
TracedCommand traced_command(const Command *command, char shape[64], const char *line);

#endif
