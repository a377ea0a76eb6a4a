/* simt.h — runs a kernel as a GPU does: full threadgroups, simdgroups, real barriers.
 *
 * Every thread of a threadgroup is a fiber of the calling OS thread. Which of them goes on is drawn
 * at random at each barrier and simd function, so that a kernel that leans on an order shows it;
 * one seed always gives one order. The compiled kernels call the second half of this header.
 */
#ifndef METAL_LLM_MSL_SIMT_H
#define METAL_LLM_MSL_SIMT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    SIMT_THREADS = 1024,            /* of a threadgroup, at most */
    SIMT_LANES = 64,                /* of a simdgroup, at most */
    SIMT_THREADGROUP_BYTES = 32768, /* of threadgroup memory, at most */
    SIMT_BUFFERS = 31,              /* [[buffer(n)]] and [[threadgroup(n)]] have n below this */
    SIMT_TEXTURES = 128,            /* [[texture(n)]] */
    SIMT_SAMPLERS = 16,             /* [[sampler(n)]] */
    SIMT_ARGUMENTS = SIMT_BUFFERS + SIMT_TEXTURES + SIMT_SAMPLERS,
    SIMT_QUAD = 4,                  /* lanes of a quadgroup */
    SIMT_STACK_BYTES = 128 << 10,   /* of one thread */
};

/* A kernel's entry point: arguments[n] points to the buffer or the value of [[buffer(n)]]. Of a
 * kernel that has textures or samplers there are SIMT_ARGUMENTS: after the buffers pointers to
 * SimtTextures, and then SimtSamplers in the place of pointers. */
#define MSL_ENTRY_TYPE simt_entry
typedef void simt_entry(void *const *arguments);

typedef struct SimtSize {
    unsigned x, y, z;
} SimtSize;

typedef struct SimtWatcher SimtWatcher;
typedef struct SimtTexture SimtTexture; /* see textures.h */
typedef struct SimtPosition SimtPosition;

typedef struct SimtLaunch {
    const char *kernel; /* its name, for messages */
    simt_entry *entry;
    SimtSize threads; /* of the whole grid, as dispatchThreads counts; the last threadgroup of a
                       * row, column or pile may be smaller */
    SimtSize group_threads; /* of a full threadgroup */
    void *const *arguments; /* [SIMT_BUFFERS] or [SIMT_ARGUMENTS] */
    const size_t *scratch;  /* [SIMT_BUFFERS] bytes of [[threadgroup(n)]]; NULL if there are none */
    unsigned simd_width;    /* 1 … SIMT_LANES, 0: 32 */
    unsigned long long seed;    /* of the order of threads and threadgroups */
    const SimtWatcher *watcher; /* NULL: nobody is told */
} SimtLaunch;

typedef struct Simt Simt;

/* The fibers' stacks, reused by every launch. NULL when out of memory. Not to be shared by threads.
 */
Simt *simt_new(void);
void simt_free(Simt *simt); /* NULL is fine */
/* Run a kernel. False and one line in `error` if it does what no GPU can carry out, such as a
 * barrier that some threads never reach; what it wrote until then stays written. */
bool simt_run(Simt *simt, const SimtLaunch *launch, char *error, size_t error_size);

/* --- what a compiled kernel calls (through <metal_stdlib>) --- */

/* A thread's [[attributes]], by their names. */
typedef struct SimtThread {
    SimtSize thread_position_in_grid;
    SimtSize thread_position_in_threadgroup;
    SimtSize threadgroup_position_in_grid;
    SimtSize threadgroups_per_grid;
    SimtSize threads_per_grid;
    SimtSize threads_per_threadgroup;
    unsigned thread_index_in_threadgroup;
    unsigned thread_index_in_simdgroup;
    unsigned simdgroup_index_in_threadgroup;
    unsigned simdgroups_per_threadgroup;
    unsigned threads_per_simdgroup;
    unsigned thread_index_in_quadgroup;
    unsigned quadgroup_index_in_threadgroup;
    unsigned quadgroups_per_threadgroup;
    SimtSize dispatch_threads_per_threadgroup; /* of a threadgroup that is whole */
    unsigned dispatch_simdgroups_per_threadgroup;
    unsigned dispatch_quadgroups_per_threadgroup;
    SimtSize grid_origin, grid_size;
} SimtThread;

extern __thread const SimtThread *simt_thread; /* the running one */

/* To a compiler: which threads call this together matters. */
#ifdef __clang__
#define SIMT_CONVERGENT __attribute__((convergent, nomerge))
#else
#define SIMT_CONVERGENT
#endif

/* A place in a kernel's source. */
typedef struct SimtPlace {
    const char *function, *file;
    unsigned line;
} SimtPlace;

typedef struct SimtVariable SimtVariable;

/* What a thread does to a texel; several may be or'ed. */
typedef enum SimtUse { SIMT_READS = 1, SIMT_WRITES = 2, SIMT_ATOMICALLY = 4 } SimtUse;

/* Who is told what happens between the loads and stores of a launch: a checker. */
struct SimtWatcher {
    void *self; /* the first argument of all: */
    void (*group_starts)(void *self, SimtSize group);
    /* Memory for a threadgroup variable, or for [[threadgroup(index)]] where `variable` is NULL.
     * Called once in a launch; NULL if there is none. */
    void *(*place)(void *self, const SimtVariable *variable, unsigned index, size_t size);
    /* All threads of the threadgroup, or of one simdgroup, have met and go on. */
    void (*threadgroup_barrier)(void *self, int mem_flags);
    void (*simdgroup_barrier)(void *self, unsigned simdgroup, int mem_flags);
    /* A thread reads from a lane that takes no part. */
    void (*inactive_lane)(void *self, const SimtThread *thread, SimtPlace place, unsigned source);
    /* A barrier that not all reach: one thread waits at `place`, others elsewhere or not at all. */
    void (*stuck)(void *self, const SimtThread *thread, SimtPlace place, const char *message);
    /* An assertion that does not hold. */
    void (*asserted)(void *self, const SimtThread *thread, SimtPlace place, const char *condition);
    /* Threadgroup memory has its first value. */
    void (*initialised)(void *self, const void *memory, size_t size);
    /* A line of a kernel's os_log. */
    void (*logged)(void *self, const SimtThread *thread, const char *line);
    /* A texel is used next, or one outside of a texture would be; `caller` is the instruction after
     * the call. */
    void (*texel)(void *self, const SimtTexture *texture, const void *texel, size_t bytes,
                  unsigned use, const void *caller);
    void (*outside)(void *self, const SimtTexture *texture, const SimtPosition *at, unsigned use,
                    const void *caller);
    /* The running thread sees what it wrote to a texture. */
    void (*fence)(void *self, const SimtTexture *texture);
};

/* What assert() and os_log of a kernel do; without a watcher nothing. */
void simt_assert(const char *condition, SimtPlace place);
void simt_log(const char *line);

/* Let another thread of the threadgroup run, if one can: for loops that wait. */
void simt_yield(void);

/* Give up a launch from within one of its threads. Does not return. */
void simt_stop(const char *message);

/* What the runtime owns of a kernel's address space. */
typedef struct SimtMemory {
    char *stacks; /* of all threads */
    size_t stack_bytes;
    const char *threads; /* what simt_thread points into */
    size_t thread_bytes;
} SimtMemory;
SimtMemory simt_memory(const Simt *simt);

SIMT_CONVERGENT void simt_threadgroup_barrier(int mem_flags, SimtPlace place);
SIMT_CONVERGENT void simt_simdgroup_barrier(int mem_flags, SimtPlace place);

/* The lanes of a simdgroup that take part in a simd function. */
typedef struct SimtLanes {
    unsigned long long active; /* bit i: lane i takes part */
    unsigned count;            /* lanes that the simdgroup has */
    unsigned first;            /* lane 0's thread_index_in_threadgroup */
    void *operand[SIMT_LANES]; /* of the active ones */
} SimtLanes;
typedef void SimtCombine(const SimtLanes *lanes);

/* Waits until every other lane of the simdgroup waits or has returned. Those that wait at the same
 * call are the active ones; for them `combine` is called once, and finds results for all. */
SIMT_CONVERGENT void simt_collective(SimtCombine *combine, void *operand, SimtPlace place);

/* Lane `lane` reads from lane `source`, which takes no part. */
void simt_inactive_lane(const SimtLanes *lanes, unsigned lane, unsigned source);

/* A threadgroup variable of a kernel, one object for each declaration. */
struct SimtVariable {
    const char *name;
    size_t size;
};

/* Its memory, the same for all threads of a threadgroup: poisoned (0xFF, NaN) when the group
 * starts, with gaps around it that nothing may write to. */
void *simt_variable(const SimtVariable *variable);
/* The first thread of a threadgroup that comes here gives the variable its first value. */
void simt_initialise(const SimtVariable *variable, const void *value);
/* The memory of [[threadgroup(index)]]. */
void *simt_scratch(unsigned index);

#ifdef __cplusplus
}
#endif

#endif
