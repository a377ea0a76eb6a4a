#include "cuda_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* A library's file names, newest first, and what a user does about it if none is found. */
typedef struct Library {
    const char *const *names;
    const char *missing;
} Library;

static const char *const driver_names[] = {"libcuda.so.1", "libcuda.so", NULL};
static const char *const compiler_names[] = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so",
                                             NULL};
static const char *const blas_names[] = {"libcublas.so.13", "libcublas.so.12", "libcublas.so",
                                         NULL};

static const Library driver_library = {driver_names,
                                       "there is no NVIDIA driver (libcuda.so.1): install it"};
static const Library compiler_library = {
    compiler_names, "libnvrtc.so of CUDA 12 or 13 is missing: install the package cuda-nvrtc, or "
                    "set CUDA_HOME to the toolkit's folder"};
static const Library blas_library = {
    blas_names, "libcublas.so of CUDA 12 or 13 is missing: install the package libcublas, or set "
                "CUDA_HOME to the toolkit's folder"};

/* By the system's own rules first, then from the toolkit's usual folders. */
static void *open_library(const Library *library) {
    const char *home = getenv("CUDA_HOME");
    const char *const folders[] = {"", home ? home : "/usr/local/cuda", "/usr/local/cuda"};
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        for (const char *const *name = library->names; *name; name++) {
            char path[4096];
            snprintf(path, sizeof path, f ? "%s/lib64/%s" : "%s%s", folders[f], *name);
            void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
            if (handle) return handle;
        }
    }
    return NULL;
}

typedef struct Symbol {
    const char *name;
    void *target; /* the address of a function pointer */
} Symbol;

/* `symbols` ends with a NULL name. */
static bool load(const Library *library, const Symbol *symbols, LLMError *error) {
    void *handle = open_library(library);
    if (!handle) return error_set(error, LLM_ERROR_DEVICE, "%s", library->missing);
    for (; symbols->name; symbols++) {
        void *address = dlsym(handle, symbols->name);
        if (!address) {
            dlclose(handle);
            return error_set(error, LLM_ERROR_DEVICE,
                             "%s is too old, it lacks %s: CUDA 12 or newer is needed",
                             library->names[0], symbols->name);
        }
        *(void **)symbols->target = address;
    }
    return true;
}

static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

/* A function that fills its table at the first call, and again after a failure. */
#define CUDA_SYMBOL(name, ...) {#name, (void *)&table.name},
#define CUDA_LOADER(Table, function, library, FUNCTIONS)                                           \
    const Table *function(LLMError *error) {                                                       \
        static Table table;                                                                        \
        static bool loaded;                                                                        \
        const Symbol symbols[] = {FUNCTIONS(CUDA_SYMBOL){NULL, NULL}};                             \
        pthread_mutex_lock(&loading);                                                              \
        if (!loaded) loaded = load(&library, symbols, error);                                      \
        const Table *result = loaded ? &table : NULL;                                              \
        pthread_mutex_unlock(&loading);                                                            \
        return result;                                                                             \
    }
CUDA_LOADER(CUDADriver, cuda_driver, driver_library, CUDA_DRIVER_FUNCTIONS)
CUDA_LOADER(CUDACompiler, cuda_compiler, compiler_library, CUDA_NVRTC_FUNCTIONS)
CUDA_LOADER(CUDABlas, cuda_blas, blas_library, CUDA_BLAS_FUNCTIONS)
