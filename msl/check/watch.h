/* watch.h — what the calls in a compiled kernel (hooks.c) tell the running checker (checker.c).
 *
 * Outside of a launch, in a file's constructors, all of them do nothing. `caller` is the
 * instruction after the call, `frame` the frame pointer of the function it is in.
 */
#ifndef METAL_LLM_MSL_CHECK_WATCH_H
#define METAL_LLM_MSL_CHECK_WATCH_H

#include <stdbool.h>
#include <stddef.h>

typedef enum Use {
    READ = 1,
    WRITE = 2,
    ATOMIC = 4,
    COPY = 8,      /* of what nothing wrote, too: watch_copy follows */
    EXCHANGE = 16, /* an atomic that writes only if it finds what it expects */
    SWAP = 32,     /* an atomic that hands out what it overwrites */
} Use;

/* A load or a store comes. Returns only if it can be made. */
void watch_access(const void *address, size_t bytes, unsigned use, const void *caller,
                  const void *frame);
/* The same for an atomic. If it is a mere load or store, the compiler tells of it once more: the
 * next access to that address is left out. */
void watch_atomic(const void *address, size_t bytes, unsigned use, const void *caller,
                  const void *frame);
/* A constant inside of a function gets its value, from here or until here. */
void watch_static(bool starts);
/* atomic_thread_fence. */
void watch_fence(int mem_flags, int order);
/* What nothing wrote stays that in a copy. */
void watch_copy(const void *to, const void *from, size_t bytes);
/* Is it a variable that nothing wrote? */
bool watch_operand(const void *operand, size_t bytes);
/* A simd function's result in a lane that depends on such a variable: to write it to memory is a
 * finding. */
void watch_unwritten(void *result, size_t bytes);
/* A shift by `count` of a `type` that has no more bits than that. */
void watch_shift(const char *type, long long count, const void *caller);
/* A function starts, its frame between these two: what it declares has not been written. */
void watch_function(const char *low, const char *frame, const void *caller);
/* An index is outside of an array, whose type is `array`. */
void watch_index(const char *file, unsigned line, long long index, const char *array);
/* An address is no multiple of the alignment of the type that is used there. */
void watch_alignment(const char *type, unsigned alignment, const void *address, const void *caller);

#endif
