/* stand_in.h — NVIDIA's driver, NVRTC and cuBLAS where there is no GPU, for tests: one library.
 *
 * What a kernel computes comes from the emulator (msl/simt). Work is done as late as CUDA allows:
 * when somebody waits for it. A call that CUDA forbids ends the process with the status
 * STAND_IN_FAILED and a line that says which; so does what has not been released when the process
 * ends.
 *
 * CUDA_STAND_IN_FAIL=cuMemAlloc_v2:3:2    the third call of this function returns 2
 * CUDA_STAND_IN_CALLS=FILE                at the end: "cuMemAlloc_v2 17" and so on, a line each
 * CUDA_STAND_IN_GPUS, _ARCHITECTURE, _MOST_THREADS    of the machine: 1, 90, 1024
 * CUDA_STAND_IN_MULTIPROCESSORS, _MEBIBYTES           of its GPU: 4, 2048
 */
#ifndef CUDA_STAND_IN_H
#define CUDA_STAND_IN_H

#include "device/cuda_library.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STAND_IN_FAILED = 70,
    CUDA_ERROR_INVALID_VALUE = 1,
    CUDA_ERROR_NOT_FOUND = 500,
};

/* As the program declares them. */
#define STAND_IN_PROTOTYPE(name, ...) int name(__VA_ARGS__);
CUDA_DRIVER_FUNCTIONS(STAND_IN_PROTOTYPE)
CUDA_NVRTC_FUNCTIONS(STAND_IN_PROTOTYPE)
CUDA_BLAS_FUNCTIONS(STAND_IN_PROTOTYPE)

/* At the start of every function: counts the call, and returns if it is to fail. */
#define CALL()                                                                                     \
    do {                                                                                           \
        int wanted = stand_in_call(__func__);                                                      \
        if (wanted) return wanted;                                                                 \
    } while (0)
/* The same where the calling thread must have a context. */
#define CALL_IN_CONTEXT()                                                                          \
    do {                                                                                           \
        CALL();                                                                                    \
        if (stand_in_context_refused()) return 201; /* CUDA_ERROR_INVALID_CONTEXT */               \
        stand_in_need_context(__func__);                                                           \
    } while (0)

int stand_in_call(const char *function);
bool stand_in_context_refused(void);
void stand_in_need_context(const char *function);
/* Ends the process. */
_Noreturn void stand_in_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A number in the environment, or what it is without. */
int stand_in_setting(const char *variable, int otherwise);

/* --- things that somebody has to release: "stream", "event", "memory", … --- */

/* Filled with 0xFF. */
void *stand_in_new(const char *kind, size_t bytes);
/* Complains if it is none, or no more. */
void stand_in_need(const char *kind, const void *object);
void stand_in_free(const char *kind, void *object);
/* Device memory from `address` on. */
void *stand_in_memory(CUdeviceptr address, size_t bytes, const char *what);

/* --- work --- */

/* Queue a call of `run` with a copy of `data`; in a capture it becomes a part of the graph. */
void stand_in_queue(CUstream stream, void (*run)(const void *data), const void *data, size_t bytes);
/* All of it, of all streams. */
void stand_in_finish(void);

#endif
