#include "fences.h"

#include "simt.h"

#include <stdlib.h>
#include <string.h>

/* What an atomic holds for those that read it. */
typedef struct Object {
    const void *address;
    Clock clock;
} Object;

typedef struct Reader {
    Clock seen;     /* is in order */
    Clock pending;  /* will be, once there is an acquiring fence */
    Clock released; /* goes with every atomic write */
} Reader;

struct Fences {
    bool used; /* since the launch began; without fences nothing is kept */
    Reader threads[SIMT_THREADS];
    Clock seen; /* by all threads of the threadgroup */
    Object *objects;
    size_t count, capacity;
};

static void *grow(void *array, size_t *capacity, size_t size) {
    *capacity = *capacity ? 2 * *capacity : 16;
    void *larger = realloc(array, *capacity * size);
    if (!larger) abort();
    return larger;
}

static void clear(Clock *clock) {
    free(clock->list);
    *clock = (Clock){0};
}

static void learn(Clock *clock, const Known *known) {
    for (size_t i = 0; i < clock->count; i++) {
        Known *old = &clock->list[i];
        if (old->group != known->group || old->thread != known->thread) continue;
        for (int space = 0; space < FENCED_SPACES; space++)
            if (known->before[space] > old->before[space])
                old->before[space] = known->before[space];
        return;
    }
    if (clock->count == clock->capacity)
        clock->list = grow(clock->list, &clock->capacity, sizeof *clock->list);
    clock->list[clock->count++] = *known;
}

/* A copy where nothing was known: the last of many threadgroups learns of all the others. */
static void join(Clock *clock, const Clock *other) {
    if (!clock->count && other->count) {
        clear(clock);
        clock->list = malloc(other->count * sizeof *clock->list);
        if (!clock->list) abort();
        memcpy(clock->list, other->list, other->count * sizeof *clock->list);
        clock->count = clock->capacity = other->count;
        return;
    }
    for (size_t i = 0; i < other->count; i++)
        learn(clock, &other->list[i]);
}

Fences *fences_new(void) {
    return calloc(1, sizeof(Fences));
}

static void forget_threads(Fences *fences) {
    for (unsigned i = 0; i < SIMT_THREADS; i++) {
        clear(&fences->threads[i].seen);
        clear(&fences->threads[i].pending);
        clear(&fences->threads[i].released);
    }
    clear(&fences->seen);
}

void fences_forget(Fences *fences) {
    forget_threads(fences);
    for (size_t i = 0; i < fences->count; i++)
        clear(&fences->objects[i].clock);
    fences->count = 0;
    fences->used = false;
}

void fences_free(Fences *fences) {
    if (!fences) return;
    fences_forget(fences);
    free(fences->objects);
    free(fences);
}

void fences_group_starts(Fences *fences, const void *memory, size_t bytes) {
    if (!fences->used) return;
    forget_threads(fences);
    size_t kept = 0;
    for (size_t i = 0; i < fences->count; i++) {
        size_t offset = (size_t)((const char *)fences->objects[i].address - (const char *)memory);
        if (offset < bytes)
            clear(&fences->objects[i].clock);
        else
            fences->objects[kept++] = fences->objects[i];
    }
    fences->count = kept;
}

void fences_release(Fences *fences, unsigned thread, const Known *own, size_t count) {
    Reader *self = &fences->threads[thread];
    fences->used = true;
    join(&self->released, &self->seen);
    join(&self->released, &fences->seen);
    for (size_t i = 0; i < count; i++)
        learn(&self->released, &own[i]);
}

void fences_acquire(Fences *fences, unsigned thread, const bool spaces[FENCED_SPACES]) {
    Reader *self = &fences->threads[thread];
    fences->used = true;
    for (size_t i = 0; i < self->pending.count; i++) {
        Known known = self->pending.list[i];
        for (int space = 0; space < FENCED_SPACES; space++)
            if (!spaces[space]) known.before[space] = 0;
        learn(&self->seen, &known);
    }
}

static Object *find(Fences *fences, const void *address) {
    for (size_t i = 0; i < fences->count; i++)
        if (fences->objects[i].address == address) return &fences->objects[i];
    return NULL;
}

static Object *find_or_add(Fences *fences, const void *address) {
    Object *object = find(fences, address);
    if (object) return object;
    if (fences->count == fences->capacity)
        fences->objects = grow(fences->objects, &fences->capacity, sizeof *fences->objects);
    object = &fences->objects[fences->count++];
    *object = (Object){.address = address};
    return object;
}

/* A write that reads as well hands on what was there. */
void fences_atomic(Fences *fences, unsigned thread, const void *address, bool reads, bool writes) {
    if (!fences->used) return;
    Reader *self = &fences->threads[thread];
    Object *object = find(fences, address);
    if (reads && object) join(&self->pending, &object->clock);
    if (!writes) return;
    if (!reads && object) object->clock.count = 0;
    if (self->released.count) join(&find_or_add(fences, address)->clock, &self->released);
}

void fences_meet(Fences *fences) {
    for (unsigned i = 0; fences->used && i < SIMT_THREADS; i++) {
        join(&fences->seen, &fences->threads[i].seen);
        clear(&fences->threads[i].seen);
    }
}

void fences_meet_simdgroup(Fences *fences, unsigned first, unsigned count) {
    if (!fences->used) return;
    Clock all = {0};
    for (unsigned i = first; i < first + count && i < SIMT_THREADS; i++)
        join(&all, &fences->threads[i].seen);
    for (unsigned i = first; i < first + count && i < SIMT_THREADS; i++)
        join(&fences->threads[i].seen, &all);
    clear(&all);
}

static bool knows(const Clock *clock, const Known *access, unsigned simdgroup, unsigned space) {
    for (size_t i = 0; i < clock->count; i++) {
        const Known *known = &clock->list[i];
        bool is_it = known->thread == ANY_THREAD || known->thread == access->thread ||
                     known->thread == (SIMDGROUP_OF | simdgroup);
        if (known->group == access->group && is_it && access->before[space] < known->before[space])
            return true;
    }
    return false;
}

bool fences_order(const Fences *fences, unsigned thread, const Known *access, unsigned simdgroup,
                  unsigned space) {
    return fences->used && (knows(&fences->threads[thread].seen, access, simdgroup, space) ||
                            knows(&fences->seen, access, simdgroup, space));
}
