#include "cpu_matmul.h"

#ifdef __APPLE__

#include <Accelerate/Accelerate.h>

bool cpu_matmul_open(LLMError *error) {
    (void)error;
    return true;
}

void cpu_matmul(const CPUMatmul *p) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)p->M, (int)p->N, (int)p->K, 1.0f,
                p->x, (int)p->K, p->weight, (int)p->K, 0.0f, p->out, (int)p->stride);
}

#else

#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

static const char library_name[] = "libopenblas.so.0";

static __typeof__(cblas_sgemm) *sgemm;
static LLMError failure;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The kernels that OpenBLAS has for a CPU like this one. It asks for the model, and takes one that
 * is younger than itself for the oldest of all, which is ten times slower. */
static const char *core_type(void) {
#ifdef __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return "SkylakeX";
    if (__builtin_cpu_supports("x86-64-v3")) return "Haswell";
#endif
    return NULL;
}

/* Settings are read from the environment while the library is being loaded, and only then. */
static void *load_with(const char *variable, const char *value) {
    bool ours = value && !getenv(variable);
    if (ours) setenv(variable, value, 1);
    void *library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (ours) unsetenv(variable);
    return library;
}

static void open_library(void) {
    void *library = load_with("OPENBLAS_CORETYPE", core_type());
    __typeof__(openblas_set_num_threads) *set_threads = NULL;
    if (library) {
        *(void **)&sgemm = dlsym(library, "cblas_sgemm");
        *(void **)&set_threads = dlsym(library, "openblas_set_num_threads");
    }
    if (!sgemm)
        error_set(&failure, LLM_ERROR_DEVICE,
                  "%s is missing, which multiplies the matrices of a prompt: install OpenBLAS",
                  library_name);
    if (set_threads) set_threads(1);
}

bool cpu_matmul_open(LLMError *error) {
    pthread_once(&once, open_library);
    return sgemm || error_set(error, failure.status, "%s", failure.message);
}

void cpu_matmul(const CPUMatmul *p) {
    sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)p->M, (int)p->N, (int)p->K, 1.0f, p->x,
          (int)p->K, p->weight, (int)p->K, 0.0f, p->out, (int)p->stride);
}

#endif
