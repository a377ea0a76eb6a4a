/* isolation.h — other people's code runs in a process of its own, which can reach nothing. */
#ifndef METAL_LLM_MSL_CHECK_ISOLATION_H
#define METAL_LLM_MSL_CHECK_ISOLATION_H

#include <stdbool.h>
#include <stddef.h>

/* How the process ended. */
typedef enum IsolatedEnd {
    ISOLATED_RETURNED,    /* body came to its end */
    ISOLATED_EXITED,      /* the process exited from within it: `number` is the status */
    ISOLATED_KILLED,      /* by a signal: `number` */
    ISOLATED_TIMED_OUT,   /* and was killed for it */
    ISOLATED_INTERRUPTED, /* isolated_interrupt() was called meanwhile; it was killed */
    ISOLATED_FAILED,      /* the process could not be started */
    ISOLATED_UNFILTERED,  /* the system lets no process filter its calls: the body did not run */
} IsolatedEnd;

/* Memory that this process and an isolated one see at the same address. NULL if there is none; it
 * starts as zeros. */
void *isolated_memory(size_t bytes);
void isolated_memory_free(void *memory, size_t bytes); /* NULL is fine */

typedef struct Isolation {
    unsigned seconds; /* of the clock */
    size_t memory;    /* bytes that it may map and write to */
    bool filter;      /* false: only the limits, no filter */
} Isolation;

/* Run body(context) in a child process without privileges. Before the body runs, the process gives
 * up, for good: new privileges, writing and making files, starting processes, sockets, signals to
 * others, and all system calls but the few that loading a library, memory and time take. They fail
 * with EPERM. What the body changes in isolated_memory() remains. */
IsolatedEnd isolated_run(void (*body)(void *context), void *context, const Isolation *isolation,
                         int *number);
/* For signal handlers: end the running process. */
void isolated_interrupt(void);

#endif
