/* waiting.c — who waits for whom: fibers at the same barrier or simd function go on together. */
#include "simt_parts.h"

#include <stdio.h>

enum { CALL_DEPTH = 64 };

/* --- which fibers wait at the same call --- */

static const Frame *caller_frame(const Fiber *fiber, const Frame *frame) {
    const Frame *caller = frame->caller;
    bool inside = (const char *)caller > (const char *)frame &&
                  (const char *)(caller + 1) <= simt_stack_top(fiber);
    return inside ? caller : NULL;
}

static bool same_calls(const Fiber *a, const Fiber *b) {
    const Frame *left = a->frame, *right = b->frame;
    while (left && right) {
        if (left->return_address != right->return_address) return false;
        left = caller_frame(a, left);
        right = caller_frame(b, right);
    }
    return !left && !right;
}

static bool same_place(const Fiber *a, const Fiber *b) {
    return a->state == b->state && a->combine == b->combine && same_calls(a, b);
}

/* The calls that lead to where a fiber waits, the kernel's own first. */
static unsigned call_path(const Fiber *fiber, const void *path[CALL_DEPTH]) {
    unsigned depth = 0;
    for (const Frame *f = fiber->frame; f && depth < CALL_DEPTH; f = caller_frame(fiber, f))
        path[depth++] = f->return_address;
    for (unsigned i = 0; i < depth / 2; i++) {
        const void *other = path[i];
        path[i] = path[depth - 1 - i];
        path[depth - 1 - i] = other;
    }
    return depth;
}

/* Does `a` wait earlier in the program than `b`? Lanes that have diverged meet again after what
 * only some of them execute, so those furthest behind go first. */
static bool waits_earlier(const Fiber *a, const Fiber *b) {
    const void *left[CALL_DEPTH], *right[CALL_DEPTH];
    unsigned left_depth = call_path(a, left), right_depth = call_path(b, right);
    for (unsigned i = 0; i < left_depth && i < right_depth; i++)
        if (left[i] != right[i]) return left[i] < right[i];
    return left_depth > right_depth;
}

/* --- simdgroups --- */

void simt_make_ready(Simt *simt, Fiber *fiber) {
    fiber->state = READY;
    simt->simdgroups[fiber->thread.simdgroup_index_in_threadgroup].ready++;
    simt->ready[simt->ready_count++] = (unsigned)(fiber - simt->fibers);
}

/* The fiber whose call the simdgroup carries out next, NULL if all wait for others. */
static const Fiber *next_call(const Simt *simt, const Simdgroup *simdgroup) {
    const Fiber *next = NULL;
    for (unsigned i = 0; i < simdgroup->lanes; i++) {
        const Fiber *fiber = &simt->fibers[simdgroup->first + i];
        if (fiber->state == AT_COLLECTIVE &&
            (!next || (!same_place(fiber, next) && waits_earlier(fiber, next))))
            next = fiber;
    }
    return next;
}

static void combine_lanes(Simt *simt, const Simdgroup *simdgroup, const Fiber *call) {
    SimtLanes *lanes = &simt->fibers[simdgroup->first].lanes;
    *lanes = (SimtLanes){.count = simdgroup->lanes, .first = simdgroup->first};
    Fiber *active[SIMT_LANES];
    unsigned count = 0;
    for (unsigned i = 0; i < simdgroup->lanes; i++) {
        Fiber *fiber = &simt->fibers[simdgroup->first + i];
        if (!same_place(fiber, call)) continue;
        lanes->active |= 1ull << i;
        lanes->operand[i] = fiber->operand;
        active[count++] = fiber;
    }
    call->combine(lanes);
    for (unsigned i = 0; i < count; i++)
        simt_make_ready(simt, active[i]);
}

void simt_inactive_lane(const SimtLanes *lanes, unsigned lane, unsigned source) {
    const SimtWatcher *watcher = simt_running->launch->watcher;
    const Fiber *fiber = &simt_running->fibers[lanes->first + lane];
    if (watcher) watcher->inactive_lane(watcher->self, &fiber->thread, fiber->place, source);
}

void simt_assert(const char *condition, SimtPlace place) {
    const SimtWatcher *watcher = simt_running->launch->watcher;
    if (watcher) watcher->asserted(watcher->self, simt_thread, place, condition);
}

void simt_log(const char *line) {
    const SimtWatcher *watcher = simt_running->launch->watcher;
    if (watcher) watcher->logged(watcher->self, simt_thread, line);
}

/* A simdgroup barrier asks for every lane. */
static void open_simdgroup_barrier(Simt *simt, const Simdgroup *simdgroup) {
    Fiber *first = &simt->fibers[simdgroup->first];
    for (unsigned i = 0; i < simdgroup->lanes; i++)
        if (first[i].state != AT_SIMDGROUP_BARRIER || !same_place(&first[i], first)) return;
    const SimtWatcher *watcher = simt->launch->watcher;
    if (watcher)
        watcher->simdgroup_barrier(watcher->self, first->thread.simdgroup_index_in_threadgroup,
                                   first->mem_flags);
    for (unsigned i = 0; i < simdgroup->lanes; i++)
        simt_make_ready(simt, &first[i]);
}

/* If the fiber's simdgroup has no other that is ready, its simd functions can go on. */
void simt_fiber_stops(Simt *simt, Fiber *fiber, State state) {
    fiber->state = state;
    Simdgroup *simdgroup = &simt->simdgroups[fiber->thread.simdgroup_index_in_threadgroup];
    if (--simdgroup->ready) return;
    const Fiber *call = next_call(simt, simdgroup);
    if (call)
        combine_lanes(simt, simdgroup, call);
    else
        open_simdgroup_barrier(simt, simdgroup);
}

/* --- threadgroups --- */

static unsigned count_state(const Simt *simt, State state) {
    unsigned count = 0;
    for (unsigned i = 0; i < simt->fiber_count; i++)
        count += simt->fibers[i].state == state;
    return count;
}

/* Nothing can go on: say which barrier waits for whom. */
static void report_deadlock(Simt *simt) {
    const Fiber *first = NULL;
    for (unsigned i = 0; !first; i++)
        if (simt->fibers[i].state != RETURNED) first = &simt->fibers[i];
    unsigned here = 0, returned = count_state(simt, RETURNED);
    const Fiber *other = NULL;
    for (unsigned i = 0; i < simt->fiber_count; i++) {
        const Fiber *fiber = &simt->fibers[i];
        if (same_place(fiber, first))
            here++;
        else if (fiber->state != RETURNED && !other)
            other = fiber;
    }
    char elsewhere[128] = "";
    if (other)
        snprintf(elsewhere, sizeof elsewhere, ", %u wait elsewhere, at %s in line %u",
                 simt->fiber_count - here - returned, other->place.function, other->place.line);
    simt_report(
        simt,
        "%s in line %u is reached by %u of the %u threads of threadgroup (%u,%u,%u): %u have "
        "returned%s; every thread must reach the same barrier",
        first->place.function, first->place.line, here, simt->fiber_count, simt->group.x,
        simt->group.y, simt->group.z, returned, elsewhere);
    const SimtWatcher *watcher = simt->launch->watcher;
    if (watcher) watcher->stuck(watcher->self, &first->thread, first->place, simt->error);
}

static bool open_barrier(Simt *simt) {
    const Fiber *first = &simt->fibers[0];
    for (unsigned i = 0; i < simt->fiber_count; i++)
        if (first[i].state != AT_BARRIER || !same_place(&first[i], first)) return false;
    const SimtWatcher *watcher = simt->launch->watcher;
    if (watcher) watcher->threadgroup_barrier(watcher->self, first->mem_flags);
    for (unsigned i = 0; i < simt->fiber_count; i++)
        simt_make_ready(simt, &simt->fibers[i]);
    return true;
}

Fiber *simt_next_fiber(Simt *simt) {
    if (simt->returned_count == simt->fiber_count) return NULL;
    if (!simt->ready_count && !open_barrier(simt)) {
        report_deadlock(simt);
        return NULL;
    }
    unsigned i = simt_draw(simt, simt->ready_count);
    unsigned fiber = simt->ready[i];
    simt->ready[i] = simt->ready[--simt->ready_count];
    return &simt->fibers[fiber];
}

void simt_yield(void) {
    Simt *simt = simt_running;
    Fiber *self = simt_current_fiber();
    if (!simt->ready_count) return;
    simt->ready[simt->ready_count++] = (unsigned)(self - simt->fibers);
    Fiber *next = simt_next_fiber(simt);
    if (next != self) simt_switch_to(simt, self, next);
}

static void wait_for(Simt *simt, Fiber *self, State state, SimtPlace place, const Frame *frame) {
    self->place = place;
    self->frame = frame;
    simt_fiber_stops(simt, self, state);
    Fiber *next = simt_next_fiber(simt);
    if (next != self) simt_switch_to(simt, self, next);
    self->frame = NULL; /* only now: a switch as the last call would let the frame go before it */
}

void simt_threadgroup_barrier(int mem_flags, SimtPlace place) {
    Fiber *self = simt_current_fiber();
    self->mem_flags = mem_flags; /* what it orders in memory matters to a checker only */
    self->combine = NULL;
    wait_for(simt_running, self, AT_BARRIER, place, __builtin_frame_address(0));
}

void simt_simdgroup_barrier(int mem_flags, SimtPlace place) {
    Fiber *self = simt_current_fiber();
    self->mem_flags = mem_flags;
    self->combine = NULL;
    wait_for(simt_running, self, AT_SIMDGROUP_BARRIER, place, __builtin_frame_address(0));
}

void simt_collective(SimtCombine *combine, void *operand, SimtPlace place) {
    Fiber *self = simt_current_fiber();
    self->combine = combine;
    self->operand = operand;
    wait_for(simt_running, self, AT_COLLECTIVE, place, __builtin_frame_address(0));
}
