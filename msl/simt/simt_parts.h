/* simt_parts.h — what the files of the runtime share: a launch, its fibers and their memory. */
#ifndef METAL_LLM_MSL_SIMT_PARTS_H
#define METAL_LLM_MSL_SIMT_PARTS_H

#include "simt.h"

#include <stdint.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIMT_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SIMT_ASAN 1
#endif
#ifdef SIMT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

enum {
    /* A stack from its lowest byte on: a guard that is not accessible (a page on every system), a
     * reserve that should stay untouched, a canary that shows whether it did, and what is promised.
     */
    GUARD_BYTES = 16384,
    RESERVE_BYTES = 98304,
    CANARY_BYTES = 1024,
    COLOUR_BYTES = 16384 - CANARY_BYTES,
    STACK_BYTES = GUARD_BYTES + RESERVE_BYTES + CANARY_BYTES + SIMT_STACK_BYTES + COLOUR_BYTES,
    REGIONS = 64,
    GAP_BYTES = 256, /* round threadgroup variables */
    ARENA_BYTES = SIMT_THREADGROUP_BYTES + (REGIONS + 1) * 2 * GAP_BYTES,
};

typedef enum State { READY, AT_BARRIER, AT_SIMDGROUP_BARRIER, AT_COLLECTIVE, RETURNED } State;

/* The frame of a call: the caller's frame and where it will go on. x86-64 and aarch64 agree. */
typedef struct Frame {
    const struct Frame *caller;
    const void *return_address;
} Frame;

typedef struct Fiber {
    SimtThread thread; /* first: what simt_thread points to */
    State state;
    void *stack_pointer; /* while it does not run; NULL until it begins */
    char *stack;         /* lowest byte above the guard */
    const Frame *frame;  /* what it waits for: called from here, */
    SimtPlace place;
    SimtCombine *combine;
    void *operand;
    SimtLanes lanes; /* of its simdgroup's call, if it is the first: stacks are the kernel's */
    int mem_flags;
    void *fake_stack; /* of the address sanitizer */
} Fiber;

typedef struct Simdgroup {
    unsigned first, lanes; /* fibers [first, first + lanes) */
    unsigned ready;        /* of its lanes */
} Simdgroup;

/* A piece of threadgroup memory. */
typedef struct Region {
    const SimtVariable *variable; /* NULL: [[threadgroup(index)]] */
    unsigned index;
    size_t size;
    unsigned char *memory;
    bool is_initialised; /* in this threadgroup */
} Region;

struct Simt {
    const SimtLaunch *launch;
    uint64_t random;
    SimtSize group; /* position of the running threadgroup */

    Fiber *fibers; /* [SIMT_THREADS] */
    unsigned fiber_count;
    Simdgroup simdgroups[SIMT_THREADS];
    unsigned ready[SIMT_THREADS]; /* fibers */
    unsigned ready_count;
    unsigned returned_count;

    char *stacks;         /* [SIMT_THREADS][STACK_BYTES] */
    unsigned stack_count; /* made accessible so far */
    void *stack_pointer;  /* of simt_run's caller */
    void *fake_stack;
    const void *caller_stack;
    size_t caller_stack_bytes;

    Region regions[REGIONS];
    unsigned region_count;
    size_t arena_used;
    unsigned char *arena; /* [ARENA_BYTES] */

    uint32_t *order; /* of the threadgroups */
    size_t order_capacity;
    char *error;
    size_t error_size;
    bool failed;
};

extern __thread Simt *simt_running;

/* --- simt.c --- */

/* Note the first error of a launch. */
__attribute__((format(printf, 2, 3))) void simt_report(Simt *simt, const char *format, ...);
/* Leave the threadgroup from one of its fibers: none of them is ever resumed. */
void simt_abandon(Simt *simt);
/* A random number below `count`. */
unsigned simt_draw(Simt *simt, unsigned count);

/* --- fibers.c: stacks, and going from one to another --- */

Fiber *simt_current_fiber(void);
char *simt_stack_top(const Fiber *fiber);
/* From the running stack to another: fibers, or NULL for simt_run's caller. `from` NULL as well; a
 * fiber that has returned keeps nothing. */
void simt_switch_to(Simt *simt, Fiber *from, Fiber *to);
/* Stacks for so many threads; false if there is no memory. */
bool simt_make_stacks(Simt *simt, unsigned count);
/* Whether a thread of the launch needed more than it was promised. */
void simt_check_stacks(Simt *simt);

/* --- waiting.c: who waits for whom --- */

void simt_make_ready(Simt *simt, Fiber *fiber);
/* A fiber stops being ready. */
void simt_fiber_stops(Simt *simt, Fiber *fiber, State state);
/* The fiber to run next; NULL to leave the threadgroup. */
Fiber *simt_next_fiber(Simt *simt);

/* --- memory.c: threadgroup memory --- */

/* Room for the [[threadgroup(n)]] of a launch; false, with the error noted, if there is none. */
bool simt_place_scratch(Simt *simt);
void simt_poison_region(Simt *simt, Region *region);
void simt_check_gaps(Simt *simt);

#endif
