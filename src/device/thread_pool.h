/* thread_pool.h — threads that take chunks of work.
 *
 * Work is a list of jobs, done one after the other; the chunks of a job run in parallel. A job
 * ends when its chunks are done, not when every thread has arrived: a thread that the system has
 * put aside between two chunks holds nobody up.
 */
#ifndef METAL_LLM_THREAD_POOL_H
#define METAL_LLM_THREAD_POOL_H

#include "error.h"

typedef struct ThreadPool ThreadPool;

/* Do chunks [begin, end) of `job`. */
typedef void ThreadPoolWork(void *context, uint32_t job, uint32_t begin, uint32_t end);

enum { THREADS_MOST = 4096 }; /* that may be asked for */

/* `threads` includes the caller of thread_pool_run; 0 is one per core this process may use. Where
 * the system gives fewer (a limit on processes or memory), these have to do, and one more is left
 * to be had. NULL and `error` if memory is out. Release with thread_pool_free. */
ThreadPool *thread_pool_new(uint32_t threads, LLMError *error);
void thread_pool_free(ThreadPool *pool);
/* How many threads there are, and how many there should have been. */
uint32_t thread_pool_threads(const ThreadPool *pool);
uint32_t thread_pool_wanted(const ThreadPool *pool);

/* Run jobs 0 … count − 1; job i has chunk_count[i] ≥ 1 chunks. Returns when all are done. Only one
 * thread may call this at a time. False and `error` if there is no memory for the counters. */
bool thread_pool_run(ThreadPool *pool, uint32_t count, const uint32_t *chunk_count,
                     ThreadPoolWork *work, void *context, LLMError *error);

#endif
