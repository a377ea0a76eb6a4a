/* libcuda.so.1 for tests where there is no GPU: launches are written to the file FAKE_LOG, not run.
 * A kernel whose name contains FAKE_FAULT fails and takes the context with it, one whose name
 * contains FAKE_HANG never ends. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ILLEGAL_ADDRESS = 700 };
static int state;
static const char *last = "";

static int named(const char *variable) {
    const char *part = getenv(variable);
    return part && strstr(last, part);
}

int cuInit(unsigned flags) {
    return (int)flags;
}
int cuDeviceGet(int *device, int ordinal) {
    return *device = ordinal;
}
int cuDeviceGetName(char *name, int size, int device) {
    snprintf(name, (size_t)size, "Fake GPU %d", device);
    return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? 9 : 0;
    return device;
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
    *context = context;
    return device;
}
int cuCtxSetCurrent(void *context) {
    return context ? state : 1;
}
int cuGetErrorString(int error, const char **text) {
    *text = error == ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "error";
    return 0;
}
int cuModuleLoadData(void **module, const char *code) {
    *module = module;
    return strncmp(code,
                   "\x7f"
                   "ELF",
                   4)
               ? 200
               : state;
}
int cuModuleGetFunction(void **function, void *module, const char *name) {
    *function = strdup(name);
    return module ? state : 1;
}
int cuMemAlloc_v2(uint64_t *address, size_t size) {
    *address = (uintptr_t)malloc(size);
    return state;
}
int cuMemFree_v2(uint64_t address) {
    free((void *)(uintptr_t)address);
    return state;
}
int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t size) {
    memcpy((void *)(uintptr_t)to, from, size);
    return state;
}
int cuLaunchKernel(const char *function, unsigned x, unsigned y, unsigned z, unsigned threads,
                   unsigned threads_y, unsigned threads_z, unsigned shared, void *stream,
                   void **parameters, void **extra) {
    const uint64_t *slot = parameters[0], *prefetch = parameters[1];
    FILE *log = fopen(getenv("FAKE_LOG"), "a");
    fprintf(log, "%s %u %u %u %u %u %llu\n", function, x, y, z, threads * threads_y * threads_z,
            shared, (unsigned long long)slot[2]);
    fclose(log);
    last = function;
    return stream || extra || prefetch[0] ? 1 : state;
}
int cuCtxSynchronize(void) {
    while (named("FAKE_HANG"))
        sleep(1);
    if (named("FAKE_FAULT")) state = ILLEGAL_ADDRESS;
    return state;
}
