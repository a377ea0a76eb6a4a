/* fences.h — what fences order: a thread's releasing fence and an atomic write after it, then
 * another thread's atomic read of that and an acquiring fence. What the first thread did, and what
 * was in order for it, is then in order for the second one.
 */
#ifndef METAL_LLM_MSL_CHECK_FENCES_H
#define METAL_LLM_MSL_CHECK_FENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory that a fence names: device, threadgroup. */
enum { FENCED_SPACES = 2, ANY_THREAD = UINT16_MAX, SIMDGROUP_OF = 0x8000 };

/* Accesses that are in order: of a thread, of all of a simdgroup (SIMDGROUP_OF | its number), or of
 * ANY_THREAD of a threadgroup, as far as they were made before these times. */
typedef struct Known {
    uint32_t group; /* when it started */
    uint16_t thread;
    uint32_t before[FENCED_SPACES];
} Known;

typedef struct Clock {
    Known *list;
    size_t count, capacity;
} Clock;

typedef struct Fences Fences;

Fences *fences_new(void); /* NULL without memory */
void fences_free(Fences *fences);

/* A launch starts; a threadgroup starts, whose threadgroup memory is another's. */
void fences_forget(Fences *fences);
void fences_group_starts(Fences *fences, const void *memory, size_t bytes);

/* A thread's fence. `own` is what it has done itself and what barriers have put in order for it. */
void fences_release(Fences *fences, unsigned thread, const Known *own, size_t count);
void fences_acquire(Fences *fences, unsigned thread, const bool spaces[FENCED_SPACES]);
/* A thread's atomic access comes. */
void fences_atomic(Fences *fences, unsigned thread, const void *address, bool reads, bool writes);
/* All threads of the threadgroup, or these of a simdgroup, have met at a barrier: what one knows
 * all know. */
void fences_meet(Fences *fences);
void fences_meet_simdgroup(Fences *fences, unsigned first, unsigned count);

/* Is what another thread of `simdgroup` did, at the time before[space], in order for this one? */
bool fences_order(const Fences *fences, unsigned thread, const Known *access, unsigned simdgroup,
                  unsigned space);

#endif
