#include "thread_pool.h"

#include "usable_cores.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Between two runs a thread spins this long, because the next run is near while a text is being
 * generated, and then sleeps. While it waits for the others' last chunks it spins, then yields. */
enum { SPINS_BEFORE_SLEEP = 20000, SPINS_BEFORE_YIELD = 2000 };
/* Where a core is shared with another process, that one gets its turn between two chunks: a thread
 * that lost its core in the middle of one would let all others wait for it. Sooner than after about
 * a millisecond, a thread would give away more of its time than its share. */
enum { CHUNKS_BEFORE_YIELD = 200 };

typedef struct Job {
    _Alignas(64) _Atomic uint32_t done;
    _Atomic uint32_t chunks;
} Job;

/* Each thread has a share of a job's chunks, neighbours in memory, so that it reads on where it has
 * read; who is done with his own helps with the others'. `next` holds the run's number in its upper
 * half and the share's next free chunk in its lower half: a thread that slept through the end of a
 * run cannot take a chunk of the next one by mistake. */
typedef struct Share {
    _Alignas(64) _Atomic uint64_t next;
} Share;

typedef struct Worker {
    struct ThreadPool *pool;
    uint32_t index; /* 1 … threads − 1; the caller of thread_pool_run is 0 */
    pthread_t handle;
} Worker;

struct ThreadPool {
    uint32_t threads, started; /* with the caller; without */
    uint32_t wanted;           /* threads; the system may have given fewer */
    Worker *workers;
    Job *jobs;
    Share *shares; /* [capacity][threads] */
    uint32_t capacity;
    _Atomic uint32_t run; /* number of the current run */
    _Atomic uint32_t count;
    _Atomic(ThreadPoolWork *) work;
    _Atomic(void *) context;
    _Atomic uint32_t inside; /* workers that may be reading `jobs` and `shares` */
    _Atomic bool growing;    /* nobody may enter: these are being replaced */
    _Atomic bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    uint32_t asleep; /* under mutex */
};

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool take_from(Share *share, uint32_t run, uint32_t end, uint32_t *chunk) {
    uint64_t next = atomic_load_explicit(&share->next, memory_order_acquire);
    while (next >> 32 == run && (uint32_t)next < end) {
        if (atomic_compare_exchange_weak(&share->next, &next, next + 1)) {
            *chunk = (uint32_t)next;
            return true;
        }
    }
    return false;
}

/* The first chunk of a thread's share, and the end of it. */
static uint32_t share_begin(const ThreadPool *pool, uint32_t chunks, uint32_t index) {
    return (uint32_t)((uint64_t)chunks * index / pool->threads);
}

static bool take_chunk(ThreadPool *pool, uint32_t job, uint32_t self, uint32_t run, uint32_t chunks,
                       uint32_t *chunk) {
    for (uint32_t i = 0; i < pool->threads; i++) {
        uint32_t index = (self + i) % pool->threads;
        Share *share = &pool->shares[(size_t)job * pool->threads + index];
        if (take_from(share, run, share_begin(pool, chunks, index + 1), chunk)) return true;
    }
    return false;
}

static void wait_until_done(ThreadPool *pool, Job *job, uint32_t run, uint32_t chunks) {
    for (uint32_t spins = 0;
         atomic_load_explicit(&job->done, memory_order_acquire) < chunks && pool->run == run;
         spins++) {
        if (spins < SPINS_BEFORE_YIELD)
            pause_briefly();
        else
            sched_yield();
    }
}

static void take_part(ThreadPool *pool, uint32_t self, uint32_t run) {
    uint32_t count = pool->count;
    ThreadPoolWork *work = pool->work;
    void *context = pool->context;
    uint32_t taken = 0;
    for (uint32_t j = 0; j < count && pool->run == run; j++) {
        Job *job = &pool->jobs[j];
        uint32_t chunks = job->chunks, chunk;
        while (take_chunk(pool, j, self, run, chunks, &chunk)) {
            work(context, j, chunk, chunk + 1);
            atomic_fetch_add_explicit(&job->done, 1, memory_order_release);
            if (++taken % CHUNKS_BEFORE_YIELD == 0) sched_yield();
        }
        wait_until_done(pool, job, run, chunks);
    }
}

static void sleep_until_run(ThreadPool *pool, uint32_t seen) {
    for (uint32_t spins = 0; spins < SPINS_BEFORE_SLEEP; spins++) {
        if (pool->run != seen || pool->stop) return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->mutex);
    pool->asleep++;
    while (pool->run == seen && !pool->stop)
        pthread_cond_wait(&pool->wake, &pool->mutex);
    pool->asleep--;
    pthread_mutex_unlock(&pool->mutex);
}

static void *work_until_stopped(void *argument) {
    Worker *worker = argument;
    ThreadPool *pool = worker->pool;
    uint32_t seen = 0;
    for (;;) {
        sleep_until_run(pool, seen);
        if (pool->stop) return NULL;
        atomic_fetch_add(&pool->inside, 1);
        if (!pool->growing) {
            seen = pool->run;
            take_part(pool, worker->index, seen);
        }
        atomic_fetch_sub(&pool->inside, 1);
    }
}

static void *wait_for_workers(void *argument) {
    ThreadPool *pool = argument;
    pthread_mutex_lock(&pool->mutex); /* theirs while they are started */
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* As many threads as are wanted, or as the system gives but one, which is left to who uses the pool
 * from a thread of its own: a spare one waits until the others are there, and ends. */
static void start_workers(ThreadPool *pool) {
    pthread_t spare;
    pthread_mutex_lock(&pool->mutex);
    bool more = pool->threads > 1 && !pthread_create(&spare, NULL, wait_for_workers, pool);
    bool has_spare = more;
    while (more && pool->started + 1 < pool->threads) {
        Worker *worker = &pool->workers[pool->started];
        *worker = (Worker){.pool = pool, .index = pool->started + 1};
        more = !pthread_create(&worker->handle, NULL, work_until_stopped, worker);
        pool->started += more;
    }
    pthread_mutex_unlock(&pool->mutex);
    if (has_spare) pthread_join(spare, NULL);
    pool->threads = pool->started + 1;
}

ThreadPool *thread_pool_new(uint32_t threads, LLMError *error) {
    ThreadPool *pool = calloc(1, sizeof *pool);
    if (!pool) return error_memory(error, sizeof *pool);
    pool->wanted = pool->threads = threads ? threads : usable_cores("");
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->workers = calloc(pool->threads, sizeof *pool->workers);
    if (!pool->workers) {
        error_memory(error, pool->threads * sizeof *pool->workers);
        thread_pool_free(pool);
        return NULL;
    }
    start_workers(pool);
    return pool;
}

void thread_pool_free(ThreadPool *pool) {
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (uint32_t i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].handle, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->workers);
    free(pool->shares);
    free(pool->jobs);
    free(pool);
}

uint32_t thread_pool_threads(const ThreadPool *pool) {
    return pool->threads;
}

uint32_t thread_pool_wanted(const ThreadPool *pool) {
    return pool->wanted;
}

static bool replace_jobs(ThreadPool *pool, uint32_t count, LLMError *error) {
    free(pool->jobs);
    free(pool->shares);
    size_t shares = (size_t)count * pool->threads;
    pool->capacity = 0;
    pool->jobs = aligned_alloc(_Alignof(Job), count * sizeof(Job));
    pool->shares = aligned_alloc(_Alignof(Share), shares * sizeof(Share));
    if (!pool->jobs || !pool->shares) return error_memory(error, shares * sizeof(Share));
    for (uint32_t j = 0; j < count; j++)
        atomic_init(&pool->jobs[j].chunks, 0);
    for (size_t i = 0; i < shares; i++)
        atomic_init(&pool->shares[i].next, 0);
    pool->capacity = count;
    return true;
}

static bool reserve_jobs(ThreadPool *pool, uint32_t count, LLMError *error) {
    if (count <= pool->capacity) return true;
    pool->growing = true;
    while (pool->inside)
        sched_yield(); /* late workers still look at the old jobs */
    bool replaced = replace_jobs(pool, count, error);
    if (!replaced) pool->count = 0;
    pool->growing = false;
    return replaced;
}

static void publish_run(ThreadPool *pool, uint32_t run) {
    pthread_mutex_lock(&pool->mutex);
    pool->run = run;
    if (pool->asleep) pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

/* The shares first: a late worker of the run before knows by them that nothing is left for it. If
 * it saw the new number of chunks beside an old share, it would take what lies after that one's
 * end. */
static void set_job(ThreadPool *pool, uint32_t job, uint32_t run, uint32_t chunks) {
    for (uint32_t i = 0; i < pool->threads; i++)
        pool->shares[(size_t)job * pool->threads + i].next =
            (uint64_t)run << 32 | share_begin(pool, chunks, i);
    pool->jobs[job].done = 0;
    pool->jobs[job].chunks = chunks;
}

bool thread_pool_run(ThreadPool *pool, uint32_t count, const uint32_t *chunk_count,
                     ThreadPoolWork *work, void *context, LLMError *error) {
    if (!reserve_jobs(pool, count, error)) return false;
    uint32_t run = pool->run + 1;
    pool->count = count;
    pool->work = work;
    pool->context = context;
    for (uint32_t j = 0; j < count; j++)
        set_job(pool, j, run, chunk_count[j]);
    publish_run(pool, run);
    take_part(pool, 0, run);
    return true;
}
