/* thread_pool_stress.c — every chunk is done once, and a job begins when the one before it is done.
 * Most runs are short: that is where a thread that comes late meets the next one.
 * Prints "ok" or what went wrong. Argument: seed. */
#include "device/thread_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The pool's threads: no more than are allowed. */
static int threads_allowed = 1000;
#undef pthread_create /* under whose name pthread.h has declared the one below */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument);
int limited_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                           void *(*start)(void *), void *argument) {
    if (threads_allowed == 0) return EAGAIN;
    threads_allowed--;
    return pthread_create(thread, attributes, start, argument);
}

/* At every branch of the program (-fsanitize-coverage=trace-pc) a thread may lose its core for a
 * while, the others going on: seldom, so that all of them stand somewhere else each time. */
void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void) {
    static _Thread_local uint32_t state;
    if (!state) state = (uint32_t)(uintptr_t)&state | 1;
    state = state * 1664525 + 1013904223;
    if (state >> 8 < (1 << 24) / 300) nanosleep(&(struct timespec){.tv_nsec = state % 50000}, NULL);
}

enum { JOBS = 300, CHUNKS = 70 };

typedef struct Record {
    const uint32_t *chunks;
    _Atomic uint32_t times[JOBS][CHUNKS];
    _Atomic uint32_t done[JOBS];
    _Atomic uint32_t early;
} Record;

static void work(void *context, uint32_t job, uint32_t begin, uint32_t end) {
    Record *record = context;
    if (job > 0 && record->done[job - 1] != record->chunks[job - 1]) record->early++;
    for (uint32_t chunk = begin; chunk < end; chunk++)
        record->times[job][chunk]++;
    for (volatile int i = rand() % 300; i > 0; i--) {
    }
    record->done[job] += end - begin;
}

static const char *run_once(ThreadPool *pool, LLMError *error) {
    static Record record;
    uint32_t chunks[JOBS], count = 1 + (uint32_t)rand() % (rand() % 64 ? 2 : JOBS);
    for (uint32_t j = 0; j < count; j++)
        chunks[j] = 1 + (uint32_t)rand() % CHUNKS;
    record.chunks = chunks;
    record.early = 0;
    for (uint32_t j = 0; j < count; j++) {
        record.done[j] = 0;
        for (uint32_t c = 0; c < CHUNKS; c++)
            record.times[j][c] = 0;
    }
    if (!thread_pool_run(pool, count, chunks, work, &record, error)) return error->message;
    if (record.early) return "a job began before the one in front of it was done";
    for (uint32_t j = 0; j < count; j++)
        for (uint32_t c = 0; c < CHUNKS; c++)
            if (record.times[j][c] != (c < chunks[j])) return "a chunk was not done exactly once";
    return NULL;
}

/* The system gives so many threads besides the caller, and the one that is left to be had. */
static const char *run_with_few(uint32_t given, LLMError *error) {
    threads_allowed = (int)given + 1;
    ThreadPool *pool = thread_pool_new(9, error);
    const char *problem = pool ? run_once(pool, error) : error->message;
    if (pool && (thread_pool_threads(pool) != given + 1 || thread_pool_wanted(pool) != 9))
        problem = "the number of threads is wrong";
    thread_pool_free(pool);
    return problem;
}

int main(int count, char **arguments) {
    srand(count > 1 ? (unsigned)strtoul(arguments[1], NULL, 10) : 1);
    LLMError error = {0};
    const char *problem = NULL;
    for (uint32_t threads = 1; threads <= 9 && !problem; threads += 4) {
        ThreadPool *pool = thread_pool_new(threads, &error);
        if (!pool) problem = error.message;
        for (int i = 0; i < 800 && !problem; i++)
            problem = run_once(pool, &error);
        thread_pool_free(pool);
    }
    for (uint32_t given = 0; given < 4 && !problem; given++)
        problem = run_with_few(given, &error);
    puts(problem ? problem : "ok");
    return problem != NULL;
}
