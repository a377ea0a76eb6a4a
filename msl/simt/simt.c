/* simt.c — threadgroups on fibers.
 *
 * One fiber per thread of a threadgroup, each with its own stack, all on the calling OS thread. A
 * fiber runs until it meets a barrier or a simd function; there it notes what it waits for and
 * switches straight to another one, drawn at random among the ready.
 */
#include "simt_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

__thread const SimtThread *simt_thread;
__thread Simt *simt_running;

void simt_report(Simt *simt, const char *format, ...) {
    if (simt->failed) return;
    simt->failed = true;
    int used = 0; /* a checker says of which kernel its findings are */
    if (!simt->launch->watcher)
        used = snprintf(simt->error, simt->error_size, "%s: ", simt->launch->kernel);
    if (used < 0 || (size_t)used >= simt->error_size) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(simt->error + used, simt->error_size - (size_t)used, format, arguments);
    va_end(arguments);
}

void simt_abandon(Simt *simt) {
    simt_switch_to(simt, simt_current_fiber(), NULL);
}

void simt_stop(const char *message) {
    simt_report(simt_running, "%s", message);
    simt_abandon(simt_running);
}

unsigned simt_draw(Simt *simt, unsigned count) {
    simt->random = simt->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((simt->random >> 32) * count >> 32);
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

/* The next place of a threadgroup, x first. */
static void advance(SimtSize *at, SimtSize extent) {
    if (++at->x < extent.x) return;
    at->x = 0;
    if (++at->y < extent.y) return;
    at->y = 0;
    at->z++;
}

static void set_attributes(Simt *simt, SimtSize extent, unsigned width) {
    const SimtLaunch *launch = simt->launch;
    SimtSize group = simt->group, full = launch->group_threads, grid = launch->threads;
    const SimtThread common = {
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
    SimtSize at = {0, 0, 0};
    for (unsigned i = 0, simdgroup = 0, lane = 0; i < simt->fiber_count; i++) {
        SimtThread *thread = &simt->fibers[i].thread;
        *thread = common;
        thread->thread_position_in_threadgroup = at;
        thread->thread_position_in_grid =
            (SimtSize){group.x * full.x + at.x, group.y * full.y + at.y, group.z * full.z + at.z};
        thread->thread_index_in_threadgroup = i;
        thread->thread_index_in_simdgroup = lane;
        thread->simdgroup_index_in_threadgroup = simdgroup;
        thread->thread_index_in_quadgroup = i % SIMT_QUAD;
        thread->quadgroup_index_in_threadgroup = i / SIMT_QUAD;
        advance(&at, extent);
        if (++lane < width) continue;
        lane = 0;
        simdgroup++;
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
        simt->fibers[i].stack_pointer = NULL;
        simt_make_ready(simt, &simt->fibers[i]);
    }
    for (unsigned i = 0; i < simt->region_count; i++)
        simt_poison_region(simt, &simt->regions[i]);
}

static void run_group(Simt *simt, SimtSize group) {
    start_group(simt, group);
    simt_switch_to(simt, NULL, simt_next_fiber(simt));
    simt_check_gaps(simt);
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
        uint32_t j = simt_draw(simt, i + 1);
        simt->order[i] = simt->order[j];
        simt->order[j] = i;
    }
    return true;
}

static bool check_launch(Simt *simt) {
    SimtSize grid = simt->launch->threads, full = simt->launch->group_threads;
    if (!grid.x || !grid.y || !grid.z || !full.x || !full.y || !full.z) {
        simt_report(simt, "empty grid or threadgroup");
    } else if (full.x > SIMT_THREADS || full.y > SIMT_THREADS || full.z > SIMT_THREADS ||
               (size_t)full.x * full.y * full.z > SIMT_THREADS) {
        simt_report(simt, "a threadgroup of %u × %u × %u threads; at most %d are possible", full.x,
                    full.y, full.z, SIMT_THREADS);
    } else if (simt->launch->simd_width > SIMT_LANES) {
        simt_report(simt, "simdgroups of %u lanes; at most %d are possible",
                    simt->launch->simd_width, SIMT_LANES);
    }
    return !simt->failed;
}

static bool prepare(Simt *simt, uint64_t groups) {
    SimtSize full = simt->launch->group_threads;
    if (!simt_make_stacks(simt, full.x * full.y * full.z))
        simt_report(simt, "no memory for the stacks of %u threads", full.x * full.y * full.z);
    else if (groups > UINT32_MAX || !shuffle_groups(simt, groups))
        simt_report(simt, "no memory for the order of %llu threadgroups",
                    (unsigned long long)groups);
    return !simt->failed && simt_place_scratch(simt);
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
    simt_running = simt;
    for (size_t i = 0; i < groups && !simt->failed; i++) {
        uint32_t group = simt->order[i];
        run_group(simt, (SimtSize){group % x, group / x % y, group / x / y});
    }
    simt_running = NULL;
    simt_check_stacks(simt);
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
