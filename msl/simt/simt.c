/* simt.c — threadgroups on fibers.
 *
 * One fiber per thread of a threadgroup, each with its own stack, all on the calling OS thread. A
 * fiber runs until it meets a barrier or a simd function; there it notes what it waits for and
 * switches straight to another one, drawn at random among the ready.
 */
#include "simt.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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
    CALL_DEPTH = 64,
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
    void *stack_pointer; /* while it does not run */
    char *stack;         /* lowest byte above the guard */
    const Frame *frame;  /* what it waits for: called from here, */
    SimtPlace place;
    SimtCombine *combine;
    void *operand;
    SimtLanes lanes; /* of its simdgroup's call, if it is the first: a stack is for the kernel alone */
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

__thread const SimtThread *simt_thread;
static __thread Simt *running;

/* --- switching --- */

/* Saves the callee-saved registers on the stack and its address in *save, then goes on where the
 * stack `load` was saved. */
void simt_switch_stack(void **save, void *load);

#define STRING_(x) #x
#define STRING(x)  STRING_(x)
#define SYMBOL     STRING(__USER_LABEL_PREFIX__) "simt_switch_stack"

#if defined(__x86_64__)
/* A function is entered with the stack 8 bytes off a multiple of 16: the return address is on it.
 */
enum { SAVED_WORDS = 7, SAVED_ADDRESS = 6, ENTRY_BYTES = 24 };
/* A jump, not a ret: the processor predicts returns to the caller, and this one goes elsewhere. */
__asm__(".text\n.p2align 4\n.globl " SYMBOL "\n" SYMBOL ":\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\n"
        "popq %rcx\njmpq *%rcx\n");
#elif defined(__aarch64__)
enum { SAVED_WORDS = 20, SAVED_ADDRESS = 11, ENTRY_BYTES = 16 };
__asm__(".text\n.p2align 4\n.globl " SYMBOL "\n" SYMBOL ":\n"
        "sub sp, sp, #160\n"
        "stp x19, x20, [sp]\nstp x21, x22, [sp, #16]\nstp x23, x24, [sp, #32]\n"
        "stp x25, x26, [sp, #48]\nstp x27, x28, [sp, #64]\nstp x29, x30, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\nstp d10, d11, [sp, #112]\nstp d12, d13, [sp, #128]\n"
        "stp d14, d15, [sp, #144]\n"
        "mov x9, sp\nstr x9, [x0]\nmov sp, x1\n"
        "ldp x19, x20, [sp]\nldp x21, x22, [sp, #16]\nldp x23, x24, [sp, #32]\n"
        "ldp x25, x26, [sp, #48]\nldp x27, x28, [sp, #64]\nldp x29, x30, [sp, #80]\n"
        "ldp d8, d9, [sp, #96]\nldp d10, d11, [sp, #112]\nldp d12, d13, [sp, #128]\n"
        "ldp d14, d15, [sp, #144]\n"
        "add sp, sp, #160\nbr x30\n");
#else
#error "simt: no context switch for this processor"
#endif

static char *stack_top(const Fiber *fiber) {
    return fiber->stack + STACK_BYTES - GUARD_BYTES;
}

/* From the running stack to another: fibers, or NULL for simt_run's caller. `from` NULL as well; a
 * fiber that has returned keeps nothing. */
static void switch_to(Simt *simt, Fiber *from, Fiber *to) {
#ifdef SIMT_ASAN
    void **fake = from ? &from->fake_stack : &simt->fake_stack;
    if (to)
        __sanitizer_start_switch_fiber(fake, to->stack, (size_t)(stack_top(to) - to->stack));
    else
        __sanitizer_start_switch_fiber(from->state == RETURNED ? NULL : fake, simt->caller_stack,
                                       simt->caller_stack_bytes);
#endif
    simt_thread = to ? &to->thread : NULL;
    simt_switch_stack(from ? &from->stack_pointer : &simt->stack_pointer,
                      to ? to->stack_pointer : simt->stack_pointer);
#ifdef SIMT_ASAN
    if (from)
        __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
    else
        __sanitizer_finish_switch_fiber(simt->fake_stack, NULL, NULL);
#endif
}

/* --- errors --- */

static Fiber *current_fiber(void) {
    return (Fiber *)(uintptr_t)simt_thread;
}

/* Note the first error of a launch. */
__attribute__((format(printf, 2, 3))) static void report(Simt *simt, const char *format, ...) {
    if (simt->failed) return;
    simt->failed = true;
    int used = snprintf(simt->error, simt->error_size, "%s: ", simt->launch->kernel);
    if (used < 0 || (size_t)used >= simt->error_size) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(simt->error + used, simt->error_size - (size_t)used, format, arguments);
    va_end(arguments);
}

/* Leave the threadgroup from one of its fibers: none of them is ever resumed. */
static void abandon(Simt *simt) {
    switch_to(simt, current_fiber(), NULL);
}

void simt_stop(const char *message) {
    report(running, "%s", message);
    abandon(running);
}

/* --- order --- */

static unsigned draw(Simt *simt, unsigned count) {
    simt->random = simt->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((simt->random >> 32) * count >> 32);
}

static void make_ready(Simt *simt, Fiber *fiber) {
    fiber->state = READY;
    simt->simdgroups[fiber->thread.simdgroup_index_in_threadgroup].ready++;
    simt->ready[simt->ready_count++] = (unsigned)(fiber - simt->fibers);
}

/* --- which fibers wait at the same call --- */

static const Frame *caller_frame(const Fiber *fiber, const Frame *frame) {
    const Frame *caller = frame->caller;
    bool inside = (const char *)caller > (const char *)frame &&
                  (const char *)(caller + 1) <= stack_top(fiber);
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

/* Does `a` wait earlier in the program than `b`? Lanes that have diverged meet again behind what
 * only some of them execute, so those furthest behind go first. */
static bool waits_earlier(const Fiber *a, const Fiber *b) {
    const void *left[CALL_DEPTH], *right[CALL_DEPTH];
    unsigned left_depth = call_path(a, left), right_depth = call_path(b, right);
    for (unsigned i = 0; i < left_depth && i < right_depth; i++)
        if (left[i] != right[i]) return left[i] < right[i];
    return left_depth > right_depth;
}

/* --- simdgroups --- */

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
        make_ready(simt, active[i]);
}

void simt_inactive_lane(const SimtLanes *lanes, unsigned lane, unsigned source) {
    const SimtWatcher *watcher = running->launch->watcher;
    const Fiber *fiber = &running->fibers[lanes->first + lane];
    if (watcher) watcher->inactive_lane(watcher->self, &fiber->thread, fiber->place, source);
}

void simt_assert(const char *condition, SimtPlace place) {
    const SimtWatcher *watcher = running->launch->watcher;
    if (watcher) watcher->asserted(watcher->self, simt_thread, place, condition);
}

void simt_log(const char *line) {
    const SimtWatcher *watcher = running->launch->watcher;
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
        make_ready(simt, &first[i]);
}

/* A fiber stops being ready. If its simdgroup has no other that is, its simd functions can go on.
 */
static void stop(Simt *simt, Fiber *fiber, State state) {
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
    report(simt,
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
        make_ready(simt, &simt->fibers[i]);
    return true;
}

/* The fiber to run next; NULL to leave the threadgroup. */
static Fiber *next_fiber(Simt *simt) {
    if (simt->returned_count == simt->fiber_count) return NULL;
    if (!simt->ready_count && !open_barrier(simt)) {
        report_deadlock(simt);
        return NULL;
    }
    unsigned i = draw(simt, simt->ready_count);
    unsigned fiber = simt->ready[i];
    simt->ready[i] = simt->ready[--simt->ready_count];
    return &simt->fibers[fiber];
}

static void wait_for(Simt *simt, Fiber *self, State state, SimtPlace place, const Frame *frame) {
    self->place = place;
    self->frame = frame;
    stop(simt, self, state);
    Fiber *next = next_fiber(simt);
    if (next != self) switch_to(simt, self, next);
    self->frame = NULL; /* only now: a switch as the last call would let the frame go before it */
}

void simt_threadgroup_barrier(int mem_flags, SimtPlace place) {
    Fiber *self = current_fiber();
    self->mem_flags = mem_flags; /* what it orders in memory matters to a checker only */
    self->combine = NULL;
    wait_for(running, self, AT_BARRIER, place, __builtin_frame_address(0));
}

void simt_simdgroup_barrier(int mem_flags, SimtPlace place) {
    Fiber *self = current_fiber();
    self->mem_flags = mem_flags;
    self->combine = NULL;
    wait_for(running, self, AT_SIMDGROUP_BARRIER, place, __builtin_frame_address(0));
}

void simt_collective(SimtCombine *combine, void *operand, SimtPlace place) {
    Fiber *self = current_fiber();
    self->combine = combine;
    self->operand = operand;
    wait_for(running, self, AT_COLLECTIVE, place, __builtin_frame_address(0));
}

/* What a fiber starts with. */
static void run_thread(void) {
#ifdef SIMT_ASAN
    const void **bottom = running->caller_stack ? NULL : &running->caller_stack;
    __sanitizer_finish_switch_fiber(NULL, bottom, bottom ? &running->caller_stack_bytes : NULL);
#endif
    Simt *simt = running;
    Fiber *self = current_fiber();
    simt->launch->entry(simt->launch->arguments);
    simt->returned_count++;
    stop(simt, self, RETURNED);
    switch_to(simt, self, next_fiber(simt));
}

/* --- threadgroup memory --- */

/* Repeated, NaN as float and as half, and not the poison of unwritten memory: marks the gaps. */
static const unsigned char gap_pattern[2] = {0xE5, 0xFF};

static void fill_gap(unsigned char *gap, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        gap[i] = gap_pattern[i % 2];
}

static bool gap_is_whole(const unsigned char *gap, size_t bytes) {
    return gap[0] == gap_pattern[0] && gap[1] == gap_pattern[1] && !memcmp(gap, gap + 2, bytes - 2);
}

/* The gap behind a region, to the next multiple of GAP_BYTES and one further. */
static unsigned char *gap_behind(const Region *region) {
    return region->memory + region->size;
}

static size_t gap_bytes(const Region *region) {
    return 2 * GAP_BYTES - 1 - (region->size + GAP_BYTES - 1) % GAP_BYTES;
}

/* A variable's name or [[threadgroup(index)]], in `name`. */
static const char *region_name(const Region *region, char name[64]) {
    if (region->variable)
        snprintf(name, 64, "%s", region->variable->name);
    else
        snprintf(name, 64, "[[threadgroup(%u)]]", region->index);
    return name;
}

/* A watcher's memory has no gaps: it sees every access. */
static void poison_region(Simt *simt, Region *region) {
    region->is_initialised = false;
    memset(region->memory, 0xFF, region->size);
    if (!simt->launch->watcher) fill_gap(gap_behind(region), gap_bytes(region));
}

static unsigned char *place_region(Simt *simt, const SimtVariable *variable, unsigned index,
                                   size_t size) {
    const SimtWatcher *watcher = simt->launch->watcher;
    if (watcher) return watcher->place(watcher->self, variable, index, size);
    unsigned char *memory = simt->arena + simt->arena_used;
    Region region = {.size = size};
    simt->arena_used += size + gap_bytes(&region);
    return memory;
}

/* NULL, with the error noted, if there is no room. */
static void *add_region(Simt *simt, const SimtVariable *variable, unsigned index, size_t size) {
    size_t total = size;
    for (unsigned i = 0; i < simt->region_count; i++)
        total += simt->regions[i].size;
    unsigned char *memory = NULL;
    if (simt->region_count < REGIONS && total <= SIMT_THREADGROUP_BYTES)
        memory = place_region(simt, variable, index, size);
    if (!memory) {
        report(simt, "%zu bytes of threadgroup memory in %u variables; at most %d bytes in %d",
               total, simt->region_count + 1, SIMT_THREADGROUP_BYTES, REGIONS);
        return NULL;
    }
    Region *region = &simt->regions[simt->region_count++];
    *region = (Region){variable, index, size, memory, false};
    poison_region(simt, region);
    return memory;
}

void *simt_variable(const SimtVariable *variable) {
    Simt *simt = running;
    for (unsigned i = 0; i < simt->region_count; i++)
        if (simt->regions[i].variable == variable) return simt->regions[i].memory;
    void *memory = add_region(simt, variable, 0, variable->size);
    if (!memory) abandon(simt);
    return memory;
}

void simt_initialise(const SimtVariable *variable, const void *value) {
    Simt *simt = running;
    const SimtWatcher *watcher = simt->launch->watcher;
    for (unsigned i = 0; i < simt->region_count; i++) {
        Region *region = &simt->regions[i];
        if (region->variable != variable || region->is_initialised) continue;
        region->is_initialised = true;
        memcpy(region->memory, value, region->size);
        if (watcher) watcher->initialised(watcher->self, region->memory, region->size);
    }
}

void *simt_scratch(unsigned index) {
    Simt *simt = running;
    for (unsigned i = 0; i < simt->region_count; i++)
        if (!simt->regions[i].variable && simt->regions[i].index == index)
            return simt->regions[i].memory;
    report(simt, "[[threadgroup(%u)]] was given no memory", index);
    abandon(simt);
    return NULL;
}

static bool place_scratch(Simt *simt) {
    simt->region_count = 0;
    simt->arena_used = GAP_BYTES;
    fill_gap(simt->arena, GAP_BYTES);
    const size_t *scratch = simt->launch->scratch;
    for (unsigned i = 0; scratch && i < SIMT_BUFFERS; i++)
        if (scratch[i] && !add_region(simt, NULL, i, scratch[i])) return false;
    return true;
}

static void check_gaps(Simt *simt) {
    if (simt->launch->watcher) return;
    char name[64];
    for (unsigned i = 0; i < simt->region_count; i++) {
        const Region *region = &simt->regions[i];
        if (!gap_is_whole(gap_behind(region), gap_bytes(region)))
            report(simt,
                   "a thread of threadgroup (%u,%u,%u) wrote behind the end of '%s' (%zu "
                   "bytes of threadgroup memory)",
                   simt->group.x, simt->group.y, simt->group.z, region_name(region, name),
                   region->size);
    }
    if (!gap_is_whole(simt->arena, GAP_BYTES))
        report(simt, "a thread of threadgroup (%u,%u,%u) wrote before the start of '%s'",
               simt->group.x, simt->group.y, simt->group.z, region_name(&simt->regions[0], name));
}

/* --- stacks --- */

static void fill_canary(char *stack) {
    memset(stack + RESERVE_BYTES, 0xA5, CANARY_BYTES);
}

static bool canary_is_whole(const char *stack) {
    const char *canary = stack + RESERVE_BYTES;
    return (unsigned char)canary[0] == 0xA5 && !memcmp(canary, canary + 1, CANARY_BYTES - 1);
}

static bool make_stacks(Simt *simt, unsigned count) {
    for (; simt->stack_count < count; simt->stack_count++) {
        char *stack = simt->stacks + (size_t)simt->stack_count * STACK_BYTES + GUARD_BYTES;
        if (mprotect(stack, STACK_BYTES - GUARD_BYTES, PROT_READ | PROT_WRITE)) return false;
        simt->fibers[simt->stack_count].stack = stack;
        fill_canary(stack);
    }
    return true;
}

/* Let run_thread be what the next switch to this fiber goes on with. Stacks that lie a power of two
 * apart would share their cache lines: start each a little lower than the one before. */
static void start_fiber(Fiber *fiber, unsigned index) {
    char *start = stack_top(fiber) - ENTRY_BYTES - index % 64 * (COLOUR_BYTES / 64 / 16 * 16);
    uintptr_t *words = (uintptr_t *)(void *)start;
    words[0] = 0; /* no return address: the end of the chain of frames */
    words -= SAVED_WORDS;
    memset(words, 0, SAVED_WORDS * sizeof *words);
    words[SAVED_ADDRESS] = (uintptr_t)run_thread;
    fiber->stack_pointer = words;
}

static void check_stacks(Simt *simt) {
    for (unsigned i = 0; i < simt->fiber_count; i++) {
        if (canary_is_whole(simt->fibers[i].stack)) continue;
        report(simt, "thread %u of threadgroup (%u,%u,%u) needs more than %d bytes of stack", i,
               simt->group.x, simt->group.y, simt->group.z, SIMT_STACK_BYTES);
        fill_canary(simt->fibers[i].stack);
    }
}

/* --- grids --- */

static unsigned divide_up(unsigned a, unsigned b) {
    return a / b + (a % b != 0);
}

static unsigned smaller(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* Threads of a group at `position` along one axis: the last one may be smaller. */
static unsigned group_extent(unsigned threads, unsigned group_threads, unsigned position) {
    return smaller(group_threads, threads - position * group_threads);
}

static void set_attributes(Simt *simt, SimtSize extent, unsigned width) {
    const SimtLaunch *launch = simt->launch;
    SimtSize group = simt->group, full = launch->group_threads, grid = launch->threads;
    SimtThread thread = {
        .threadgroup_position_in_grid = group,
        .threadgroups_per_grid = {divide_up(grid.x, full.x), divide_up(grid.y, full.y),
                                  divide_up(grid.z, full.z)},
        .threads_per_grid = grid,
        .threads_per_threadgroup = extent,
        .simdgroups_per_threadgroup = divide_up(simt->fiber_count, width),
        .threads_per_simdgroup = width,
        .quadgroups_per_threadgroup = divide_up(simt->fiber_count, SIMT_QUAD),
        .dispatch_threads_per_threadgroup = full,
        .dispatch_simdgroups_per_threadgroup = divide_up(full.x * full.y * full.z, width),
        .dispatch_quadgroups_per_threadgroup = divide_up(full.x * full.y * full.z, SIMT_QUAD),
        .grid_size = grid,
    };
    for (unsigned i = 0; i < simt->fiber_count; i++) {
        SimtSize at = {i % extent.x, i / extent.x % extent.y, i / extent.x / extent.y};
        thread.thread_position_in_threadgroup = at;
        thread.thread_position_in_grid =
            (SimtSize){group.x * full.x + at.x, group.y * full.y + at.y, group.z * full.z + at.z};
        thread.thread_index_in_threadgroup = i;
        thread.thread_index_in_simdgroup = i % width;
        thread.simdgroup_index_in_threadgroup = i / width;
        thread.thread_index_in_quadgroup = i % SIMT_QUAD;
        thread.quadgroup_index_in_threadgroup = i / SIMT_QUAD;
        simt->fibers[i].thread = thread;
    }
}

static void start_group(Simt *simt, SimtSize group) {
    const SimtLaunch *launch = simt->launch;
    SimtSize extent = {
        group_extent(launch->threads.x, launch->group_threads.x, group.x),
        group_extent(launch->threads.y, launch->group_threads.y, group.y),
        group_extent(launch->threads.z, launch->group_threads.z, group.z),
    };
    unsigned width = launch->simd_width ? launch->simd_width : 32;
    if (launch->watcher) launch->watcher->group_starts(launch->watcher->self, group);
    simt->group = group;
    simt->fiber_count = extent.x * extent.y * extent.z;
    simt->ready_count = simt->returned_count = 0;
    set_attributes(simt, extent, width);
    for (unsigned first = 0; first < simt->fiber_count; first += width)
        simt->simdgroups[first / width] =
            (Simdgroup){.first = first, .lanes = smaller(width, simt->fiber_count - first)};
    for (unsigned i = 0; i < simt->fiber_count; i++) {
        start_fiber(&simt->fibers[i], i);
        make_ready(simt, &simt->fibers[i]);
    }
    for (unsigned i = 0; i < simt->region_count; i++)
        poison_region(simt, &simt->regions[i]);
}

static void run_group(Simt *simt, SimtSize group) {
    start_group(simt, group);
    switch_to(simt, NULL, next_fiber(simt));
    check_gaps(simt);
    check_stacks(simt);
#ifdef SIMT_ASAN
    for (unsigned i = 0; simt->failed && i < simt->fiber_count; i++)
        __asan_unpoison_memory_region(simt->fibers[i].stack, STACK_BYTES - GUARD_BYTES);
#endif
}

/* simt->order becomes a random permutation of `count` threadgroups. */
static bool shuffle_groups(Simt *simt, size_t count) {
    if (count > simt->order_capacity) {
        uint32_t *order = realloc(simt->order, count * sizeof *order);
        if (!order) return false;
        simt->order = order;
        simt->order_capacity = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t j = draw(simt, i + 1);
        simt->order[i] = simt->order[j];
        simt->order[j] = i;
    }
    return true;
}

static bool check_launch(Simt *simt) {
    SimtSize grid = simt->launch->threads, full = simt->launch->group_threads;
    if (!grid.x || !grid.y || !grid.z || !full.x || !full.y || !full.z) {
        report(simt, "empty grid or threadgroup");
    } else if (full.x > SIMT_THREADS || full.y > SIMT_THREADS || full.z > SIMT_THREADS ||
               (size_t)full.x * full.y * full.z > SIMT_THREADS) {
        report(simt, "a threadgroup of %u × %u × %u threads; at most %d are possible", full.x,
               full.y, full.z, SIMT_THREADS);
    } else if (simt->launch->simd_width > SIMT_LANES) {
        report(simt, "simdgroups of %u lanes; at most %d are possible", simt->launch->simd_width,
               SIMT_LANES);
    }
    return !simt->failed;
}

static bool prepare(Simt *simt, uint64_t groups) {
    SimtSize full = simt->launch->group_threads;
    if (!make_stacks(simt, full.x * full.y * full.z))
        report(simt, "no memory for the stacks of %u threads", full.x * full.y * full.z);
    else if (groups > UINT32_MAX || !shuffle_groups(simt, groups))
        report(simt, "no memory for the order of %llu threadgroups", (unsigned long long)groups);
    return !simt->failed && place_scratch(simt);
}

SimtMemory simt_memory(const Simt *simt) {
    return (SimtMemory){simt->stacks, (size_t)SIMT_THREADS * STACK_BYTES,
                        (const char *)simt->fibers, SIMT_THREADS * sizeof *simt->fibers};
}

bool simt_run(Simt *simt, const SimtLaunch *launch, char *error, size_t error_size) {
    simt->launch = launch;
    simt->error = error;
    simt->error_size = error_size;
    simt->failed = false;
    simt->caller_stack = NULL;
    simt->random = launch->seed * 0x9E3779B97F4A7C15u + 0x2545F4914F6CDD1Du;
    if (!check_launch(simt)) return false;
    SimtSize full = launch->group_threads;
    uint32_t x = divide_up(launch->threads.x, full.x), y = divide_up(launch->threads.y, full.y);
    uint64_t groups = (uint64_t)x * y * divide_up(launch->threads.z, full.z);
    if (!prepare(simt, groups)) return false;
    running = simt;
    for (size_t i = 0; i < groups && !simt->failed; i++) {
        uint32_t group = simt->order[i];
        run_group(simt, (SimtSize){group % x, group / x % y, group / x / y});
    }
    running = NULL;
    return !simt->failed;
}

Simt *simt_new(void) {
    Simt *simt = calloc(1, sizeof *simt);
    if (!simt) return NULL;
    simt->fibers = calloc(SIMT_THREADS, sizeof *simt->fibers);
    simt->arena = aligned_alloc(GAP_BYTES, ARENA_BYTES);
    simt->stacks = mmap(NULL, (size_t)SIMT_THREADS * STACK_BYTES, PROT_NONE,
                        MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    if (simt->stacks == MAP_FAILED) simt->stacks = NULL;
    if (simt->fibers && simt->arena && simt->stacks) return simt;
    simt_free(simt);
    return NULL;
}

void simt_free(Simt *simt) {
    if (!simt) return;
    if (simt->stacks) munmap(simt->stacks, (size_t)SIMT_THREADS * STACK_BYTES);
    free(simt->arena);
    free(simt->fibers);
    free(simt->order);
    free(simt);
}
