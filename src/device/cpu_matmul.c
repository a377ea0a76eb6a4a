#include "cpu_matmul.h"

#ifdef __APPLE__

#include <Accelerate/Accelerate.h>

bool cpu_matmul_open(uint32_t threads, LLMError *error) {
    (void)threads, (void)error;
    return true;
}

void cpu_matmul_close(uint32_t threads) {
    (void)threads;
}

void cpu_matmul(const CPUMatmul *p) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)p->M, (int)p->N, (int)p->K, 1.0f,
                p->x, (int)p->K, p->weight, (int)p->K, 0.0f, p->out, (int)p->stride);
}

#else

#include <cblas.h>
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Where OpenBLAS may be. Debian's build with threads first: its other one, the serial build, hands
 * one buffer to two threads that call it at the same time. */
static const char *const libraries[] = {
    "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0",
    "/usr/lib/aarch64-linux-gnu/openblas-pthread/libopenblas.so.0",
    "libopenblas.so.0",
};
enum { LIBRARIES = sizeof libraries / sizeof *libraries };
enum { CALLERS_MOST = 128 };

static pthread_mutex_t opening =
    PTHREAD_MUTEX_INITIALIZER; /* for all of these but `free_buffers` */
static void *library;
static uint32_t callers_most; /* threads that may call it at a time */
static uint32_t callers;      /* threads of all devices */
static uint32_t buffers;      /* that OpenBLAS has */
static sem_t free_buffers;
static __typeof__(cblas_sgemm) *sgemm;

/* --- the kernels that OpenBLAS takes --- */

/* It goes by the CPU's model, and takes one that is younger than itself for the oldest of all,
 * which is ten times slower. NULL where it chooses well. */
static const char *better_core_type(const char *chosen) {
#ifdef __x86_64__
    static const char *const with_avx2 = " Haswell Zen Excavator ",
                             *const with_avx512 = " SkylakeX Cooperlake Sapphirerapids ";
    char word[64];
    snprintf(word, sizeof word, " %s ", chosen);
    bool has_avx512 = strstr(with_avx512, word), has_avx2 = has_avx512 || strstr(with_avx2, word);
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4")) return has_avx512 ? NULL : "SkylakeX";
    if (__builtin_cpu_supports("x86-64-v3")) return has_avx2 ? NULL : "Haswell";
#endif
    (void)chosen;
    return NULL;
}

/* Its symbols are for us alone, and it uses its own, even if the host program has other ones of
 * these names; sanitizers, which replace the system's, do not allow that. */
static void *open_alone(const char *path) {
    int flags = RTLD_NOW | RTLD_LOCAL;
#ifdef RTLD_DEEPBIND
    if (!dlsym(RTLD_DEFAULT, "__sanitizer_print_stack_trace")) flags |= RTLD_DEEPBIND;
#endif
    return dlopen(path, flags);
}

/* Settings are read from the environment while it is being loaded, and only then. For that time
 * `environ` is another list: setenv would free what another thread is reading. What the user has
 * set comes first in it and counts. */
static void *open_with(const char *path, const char *core_type) {
    static char type[64], threads[] = "OPENBLAS_NUM_THREADS=1";
    static char **newest; /* the lists stay, since another thread may have one */
    char **before = environ;
    size_t count = 0;
    while (before && before[count])
        count++;
    char **list = calloc(count + 4, sizeof *list);
    if (!list) return NULL;
    list[count + 3] = (char *)newest; /* past the list's end */
    newest = list;
    if (count) memcpy(list, before, count * sizeof *list);
    list[count] = threads;
    snprintf(type, sizeof type, "OPENBLAS_CORETYPE=%s", core_type ? core_type : "");
    if (core_type) list[count + 1] = type;
    environ = list;
    void *opened = open_alone(path);
    if (environ == list) environ = before;
    return opened;
}

/* A copy that the host program has already stays as it is. */
static void *open_library_at(const char *path) {
    void *opened = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    return opened ? opened : open_with(path, better_core_type("unknown"));
}

/* As many threads as it was built for: it prints if there are more. A build without threads has no
 * locks either. */
static uint32_t callers_allowed(void) {
    const char *(*config)(void) = NULL;
    int (*parallel)(void) = NULL;
    *(void **)&config = dlsym(library, "openblas_get_config");
    *(void **)&parallel = dlsym(library, "openblas_get_parallel");
    if (!config || !parallel || !parallel()) return 1;
    const char *most = strstr(config(), "MAX_THREADS=");
    unsigned count = 0;
    if (!most || sscanf(most, "MAX_THREADS=%u", &count) != 1 || count == 0) return 1;
    return count < CALLERS_MOST ? count : CALLERS_MOST;
}

static bool open_library(LLMError *error) {
    for (size_t i = 0; i < LIBRARIES && !library; i++)
        library = open_library_at(libraries[i]);
    if (library) *(void **)&sgemm = dlsym(library, "cblas_sgemm");
    if (sgemm && sem_init(&free_buffers, 0, 0) == 0) {
        callers_most = callers_allowed();
        return true;
    }
    const char *reason = dlerror();
    if (reason && (strstr(reason, "failed to map") || strstr(reason, "llocate memory")))
        return error_set(error, LLM_ERROR_MEMORY,
                         "out of memory: OpenBLAS, which multiplies the matrices of a prompt, "
                         "cannot be loaded (%s)",
                         reason);
    return error_set(error, LLM_ERROR_DEVICE,
                     "OpenBLAS, which multiplies the matrices of a prompt, cannot be opened (%s); "
                     "on Debian and Ubuntu it is in libopenblas0-pthread",
                     reason ? reason : "no cblas_sgemm in it");
}

/* --- its buffers --- */

/* How many of `wanted` more buffers there is memory for: OpenBLAS itself would wait for it without
 * end. */
static uint32_t buffers_possible(uint32_t wanted) {
    enum { BUFFER_BYTES = 129 << 20 };
    void *pages[CALLERS_MOST];
    uint32_t count = 0;
    while (count < wanted) {
        pages[count] =
            mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages[count] == MAP_FAILED) break;
        count++;
    }
    for (uint32_t i = 0; i < count; i++)
        munmap(pages[i], BUFFER_BYTES);
    return count;
}

/* Let OpenBLAS map so many buffers, which it keeps: it looks for a free one at each call. */
static void map_buffers(uint32_t count) {
    void *(*allocate)(int) = NULL, *taken[CALLERS_MOST];
    void (*release)(void *) = NULL;
    *(void **)&allocate = dlsym(library, "blas_memory_alloc");
    *(void **)&release = dlsym(library, "blas_memory_free");
    if (!allocate || !release) return;
    for (uint32_t i = 0; i < count; i++)
        taken[i] = allocate(0);
    for (uint32_t i = 0; i < count; i++)
        release(taken[i]);
}

/* A buffer for every caller, or for as many as there is memory for: then the others wait. */
static bool reserve_buffers(LLMError *error) {
    uint32_t wanted = callers < callers_most ? callers : callers_most;
    if (wanted <= buffers) return true;
    uint32_t more = buffers_possible(wanted - buffers);
    if (buffers + more == 0) return error_memory(error, (size_t)128 << 20);
    for (uint32_t i = 0; i < buffers; i++)
        sem_wait(&free_buffers); /* products that are running */
    buffers += more;
    map_buffers(buffers);
    for (uint32_t i = 0; i < buffers; i++)
        sem_post(&free_buffers);
    return true;
}

/* --- products --- */

bool cpu_matmul_open(uint32_t threads, LLMError *error) {
    pthread_mutex_lock(&opening);
    callers += threads;
    bool opened = (sgemm || open_library(error)) && reserve_buffers(error);
    if (!opened) callers -= threads;
    pthread_mutex_unlock(&opening);
    return opened;
}

void cpu_matmul_close(uint32_t threads) {
    pthread_mutex_lock(&opening);
    callers -= threads;
    pthread_mutex_unlock(&opening);
}

void cpu_matmul(const CPUMatmul *p) {
    sem_wait(&free_buffers);
    sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)p->M, (int)p->N, (int)p->K, 1.0f, p->x,
          (int)p->K, p->weight, (int)p->K, 0.0f, p->out, (int)p->stride);
    sem_post(&free_buffers);
}

#endif
