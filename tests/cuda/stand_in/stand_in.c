/* stand_in.c — calls that fail, complaints, and what has to be released. */
#include "stand_in.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FUNCTIONS = 128, MOST_OBJECTS = 1 << 16 };

void stand_in_complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("CUDA stand-in: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    fflush(NULL);
    _exit(STAND_IN_FAILED);
}

int stand_in_setting(const char *variable, int otherwise) {
    const char *value = getenv(variable);
    return value ? atoi(value) : otherwise;
}

/* --- calls --- */

static struct {
    const char *name;
    unsigned count;
} calls[MOST_FUNCTIONS];

/* Kernels are compiled by several threads. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static unsigned count_call(const char *function) {
    size_t i = 0;
    pthread_mutex_lock(&mutex);
    while (calls[i].name && strcmp(calls[i].name, function))
        i++;
    if (i + 1 == MOST_FUNCTIONS) stand_in_complain("more functions than there is room for");
    calls[i].name = function;
    unsigned count = ++calls[i].count;
    pthread_mutex_unlock(&mutex);
    return count;
}

int stand_in_call(const char *function) {
    unsigned count = count_call(function), wanted;
    const char *fail = getenv("CUDA_STAND_IN_FAIL");
    char name[64];
    int result;
    if (!fail || sscanf(fail, "%63[^:]:%u:%d", name, &wanted, &result) != 3) return 0;
    return count == wanted && !strcmp(name, function) ? result : 0;
}

/* --- objects --- */

typedef struct Object {
    const char *kind;
    char *data;
    size_t bytes;
} Object;

static Object objects[MOST_OBJECTS];
static size_t object_count;

void *stand_in_new(const char *kind, size_t bytes) {
    if (object_count == MOST_OBJECTS) stand_in_complain("too many objects");
    char *data = malloc(bytes);
    if (!data) stand_in_complain("out of memory");
    memset(data, 0xFF, bytes);
    pthread_mutex_lock(&mutex);
    objects[object_count++] = (Object){kind, data, bytes};
    pthread_mutex_unlock(&mutex);
    return data;
}

static Object *find(const char *kind, const void *data) {
    for (Object *object = objects; object < objects + object_count; object++)
        if (object->data == data && !strcmp(object->kind, kind)) return object;
    stand_in_complain("%p is no %s, or was released", data, kind);
}

void stand_in_need(const char *kind, const void *object) {
    pthread_mutex_lock(&mutex);
    find(kind, object);
    pthread_mutex_unlock(&mutex);
}

void stand_in_free(const char *kind, void *data) {
    pthread_mutex_lock(&mutex);
    Object *object = find(kind, data);
    free(data);
    *object = objects[--object_count];
    pthread_mutex_unlock(&mutex);
}

void *stand_in_memory(CUdeviceptr address, size_t bytes, const char *what) {
    uintptr_t wanted = (uintptr_t)address;
    for (const Object *object = objects; object < objects + object_count; object++) {
        uintptr_t start = (uintptr_t)object->data;
        if (!strcmp(object->kind, "memory") && wanted >= start && wanted - start <= object->bytes &&
            bytes <= object->bytes - (wanted - start))
            return (void *)wanted;
    }
    stand_in_complain("%s: %zu bytes at %#llx are not in the device's memory", what, bytes,
                      address);
}

/* --- at the end --- */

static void write_calls(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file) return;
    for (size_t i = 0; calls[i].name; i++)
        fprintf(file, "%s %u\n", calls[i].name, calls[i].count);
    fclose(file);
}

__attribute__((destructor)) static void end(void) {
    if (getenv("CUDA_STAND_IN_CALLS")) write_calls(getenv("CUDA_STAND_IN_CALLS"));
    if (object_count)
        stand_in_complain("%zu objects were not released, the first one is: %s", object_count,
                          objects[0].kind);
}
