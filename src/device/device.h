/* device.h — the narrow waist: what the pipeline asks of an Apple GPU, an NVIDIA GPU or a CPU.
 *
 * Work is queued in order (dispatch, matmul), handed over with device_submit and runs as if one
 * after the other. Errors are sticky: after the first one every call does nothing, and
 * device_failed tells. So a step is written straight down and checked once.
 */
#ifndef METAL_LLM_DEVICE_H
#define METAL_LLM_DEVICE_H

#include "error.h"
#include "kernel.h"

typedef struct Device Device;
typedef struct DeviceBuffer DeviceBuffer;
typedef struct DeviceStep DeviceStep;

/* What decides which kernels suit a device. */
typedef struct DeviceFacts {
    uint32_t simd_width; /* lanes of a full simdgroup: 1 on a CPU */
    uint32_t simdgroups; /* so many keep all of the device busy */
    bool byte_products;  /* products of bytes, four at a time, are faster than those of floats */
    bool prefers_halves; /* weights in halves are decoded faster than fewer bytes of blocks */
    bool lacks_matrices; /* a GPU without matrix units: kernels of simdgroup_matrix do not run */
} DeviceFacts;

/* One kernel or matrix product that has been run, or that would be. */
typedef struct TracedCommand {
    const char *step, *why;    /* of device_note */
    const char *kernel, *file; /* "matmul" and "" for the vendor's matrix library */
    const char *shape;         /* its values of type uint: "B=1 K=768 N=2304" */
    const char *line;          /* kernel, grid, bytes of the buffers and the values; "" if it ran */
    double bytes;              /* read and written at least */
    double seconds;            /* 0: it did not run */
} TracedCommand;
typedef void (*DeviceTrace)(void *context, const TracedCommand *command);

/* Instead of a device: what one of these facts would be given to do, kernel by kernel, is told, and
 * nothing is run. What is read from its buffers is 0. */
typedef struct DryRun {
    DeviceFacts facts;
    DeviceTrace trace;
    void *context;
} DryRun;

typedef struct DeviceOptions {
    uint32_t threads; /* CPU threads, 0: one per core */
    uint64_t seed;    /* simt: order of the threads */
    bool profile;     /* measure every kernel */
    bool matmul;      /* device_matmul will be called: what it needs is opened at once, not by the
                         first of them */
    const char *kernels; /* a folder of .metal files instead of those built in; NULL: built in */
    void *metal_device;  /* metal: an id<MTLDevice> to use, NULL: the system's default */
    const DryRun *dry;   /* not a device but what it would be given to do; NULL: a device */
} DeviceOptions;

/* Open a target by name ("cpu", "simt", …), or the best one present if `name` is NULL, which is
 * never the emulator "simt". `options` may be NULL. NULL and `error` on failure, with the reasons
 * of every target if none was named. */
Device *device_open(const char *name, const DeviceOptions *options, LLMError *error);
void device_close(Device *device);
/* One line that names the target and its size: "cpu: 2 threads, AVX-512". */
const char *device_description(const Device *device);
/* More for reports, in one line: what it can do, its driver; "" where nothing is known. */
const char *device_details(const Device *device);
const DeviceFacts *device_facts(const Device *device);
/* The facts of a machine by name, "h200", or NULL; `names` of all of them end with NULL. */
const DeviceFacts *device_facts_named(const char *name);
extern const char *const device_facts_names[];
/* Names of the targets this build has, best first; NULL-terminated. */
const char *const *device_targets(void);
/* The sticky error: true and *error set if any call has failed since the device was opened. */
bool device_failed(const Device *device, LLMError *error);

/* --- memory: no buffer overlaps another; contents start undefined --- */

/* The device's own memory in bytes; 0: not known. */
uint64_t device_memory(const Device *device);
/* Whether weights of so many bytes fit into the device's memory, were it empty; else it fails. */
bool device_has_room(Device *device, size_t bytes);
DeviceBuffer *device_buffer_new(Device *device, size_t bytes);
/* A read-only buffer over `data`, which the caller keeps alive and unchanged until the buffer is
 * freed: used in place where the target can, copied where it cannot. The pages in which it lies are
 * of a file's mapping or the caller's own (mmap): a GPU may be shown all of them. */
DeviceBuffer *device_buffer_wrap(Device *device, const void *data, size_t bytes);
void device_buffer_free(DeviceBuffer *buffer); /* NULL is fine */
size_t device_buffer_size(const DeviceBuffer *buffer);
/* Copy to or from the device. Both wait for the work queued so far. */
void device_write(DeviceBuffer *buffer, size_t offset, const void *data, size_t bytes);
void device_read(DeviceBuffer *buffer, size_t offset, void *data, size_t bytes);

/* --- work --- */

/* What one item of a grid is; the target chooses threadgroup sizes. */
typedef enum DeviceItem { ITEM_THREAD, ITEM_SIMDGROUP, ITEM_THREADGROUP } DeviceItem;

typedef struct DeviceGrid {
    DeviceItem item;
    uint32_t x, y, z; /* number of items; 0 counts as 1 for y and z */
    uint32_t threads; /* wanted threads per threadgroup, 0: the target's choice */
} DeviceGrid;

/* a / b, rounded up: so many groups of b have room for a. */
static inline uint32_t divide_up(uint32_t a, uint32_t b) {
    return a / b + (a % b != 0);
}

static inline DeviceGrid grid_threads(uint32_t x, uint32_t y, uint32_t z) {
    return (DeviceGrid){ITEM_THREAD, x, y, z, 0};
}
static inline DeviceGrid grid_simdgroups(uint32_t x) {
    return (DeviceGrid){ITEM_SIMDGROUP, x, 1, 1, 0};
}
static inline DeviceGrid grid_threadgroups(uint32_t x, uint32_t y, uint32_t z) {
    return (DeviceGrid){ITEM_THREADGROUP, x, y, z, 0};
}

/* An argument: a buffer from some offset on, or a value of at most 8 bytes. */
typedef struct DeviceArgument {
    DeviceBuffer *buffer; /* NULL: a value */
    size_t offset;        /* bytes */
    size_t bytes;         /* that the kernel moves, for the timings; 0: to the buffer's end */
    union {
        uint32_t u32;
        float f32;
        uint64_t u64;
    } value;
    uint32_t size; /* bytes of the value; for [[threadgroup(n)]] memory, its bytes are value.u64 */
} DeviceArgument;

static inline DeviceArgument arg_buffer(DeviceBuffer *buffer, size_t offset) {
    return (DeviceArgument){.buffer = buffer, .offset = offset};
}
static inline DeviceArgument arg_part(DeviceBuffer *buffer, size_t offset, size_t bytes) {
    return (DeviceArgument){.buffer = buffer, .offset = offset, .bytes = bytes};
}
static inline DeviceArgument arg_u32(uint32_t value) {
    return (DeviceArgument){.value.u32 = value, .size = 4};
}
static inline DeviceArgument arg_f32(float value) {
    return (DeviceArgument){.value.f32 = value, .size = 4};
}

/* Compile a kernel now, and not when it is first queued. False if the device has failed. */
bool device_prepare(Device *device, const char *kernel);
/* Compile all of them in parallel, so that preparing each takes little time. False where that
 * cannot be done: they are compiled one by one then. */
bool device_prepare_all(Device *device);

/* Queue a kernel. The arguments are checked against the kernel's own signature: number, kind, size
 * of values, offsets inside buffers, and no buffer bound twice when one of the two is written. */
void device_dispatch(Device *device, const char *kernel, DeviceGrid grid,
                     const DeviceArgument *arguments, size_t count);
#define dispatch(device, kernel, grid, ...)                                                        \
    device_dispatch(device, kernel, grid, (const DeviceArgument[]){__VA_ARGS__},                   \
                    sizeof((const DeviceArgument[]){__VA_ARGS__}) / sizeof(DeviceArgument))

/* What is queued from now on belongs to this step, and why it is this kernel: for those who watch.
 * Both texts outlive the device. */
void device_note(Device *device, const char *step, const char *why);

typedef enum MatmulType { MATMUL_F32, MATMUL_F16 } MatmulType;

/* out[M,N] (f32) = x[M,K] · weight[N,K]ᵀ, both inputs of `type`, through the vendor's library. Rows
 * of out begin `stride` floats apart: it may be columns of a wider matrix. */
typedef struct DeviceMatmul {
    DeviceArgument x, weight, out; /* buffers */
    uint32_t M, N, K, stride;
    MatmulType type;
} DeviceMatmul;
void device_matmul(Device *device, const DeviceMatmul *matmul);

/* Between device_record and device_record_end work is noted instead of queued; the step can then be
 * queued again and again. Buffers in it must outlive it. */
void device_record(Device *device);
DeviceStep *device_record_end(Device *device);
void device_replay(Device *device, DeviceStep *step);
void device_step_free(DeviceStep *step); /* NULL is fine */

/* Start what is queued. Returns its number; device_wait waits for it and everything before. */
uint64_t device_submit(Device *device);
void device_wait(Device *device, uint64_t submission);
/* How many steps are worth queueing before the first one's result is looked at: 0 where submit
 * returns when the work is done. */
uint32_t device_run_ahead(const Device *device);
/* Read from a buffer without waiting for anything but `submission`: later work may be running. */
void device_read_after(Device *device, uint64_t submission, DeviceBuffer *buffer, size_t offset,
                       void *data, size_t bytes);

/* --- measuring --- */

/* With options.profile: timings per kernel since the last reset, in order of first use. */
size_t device_timings(Device *device, const LLMTiming **timings);
void device_timings_reset(Device *device);

/* Each command that is queued from now on runs by itself, is measured and told, in order; it does
 * not count for the timings. NULL: no more. What is queued so far is waited for. Steps that are
 * replayed are not told. */
void device_trace(Device *device, DeviceTrace trace, void *context);

#endif
