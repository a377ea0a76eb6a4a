#include "checker_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

Checker *checker; /* the running one */
volatile sig_atomic_t checker_out_of_time;

static void inactive_lane(void *self, const SimtThread *thread, SimtPlace place, unsigned source) {
    Finding *finding = finding_at(self, FINDING_INACTIVE_LANE, thread, place);
    if (finding)
        snprintf(finding->detail, sizeof finding->detail,
                 "lane %u of simdgroup %u reads from lane %u, which takes no part in this %s",
                 thread->thread_index_in_simdgroup, thread->simdgroup_index_in_threadgroup, source,
                 place.function);
}

static void stuck(void *self, const SimtThread *thread, SimtPlace place, const char *message) {
    Finding *finding = finding_at(self, FINDING_BARRIER, thread, place);
    if (finding) snprintf(finding->detail, sizeof finding->detail, "%s", message);
}

static void asserted(void *self, const SimtThread *thread, SimtPlace place, const char *condition) {
    Finding *finding = finding_at(self, FINDING_FAULT, thread, place);
    if (finding)
        snprintf(finding->detail, sizeof finding->detail,
                 "thread %u of threadgroup (%u,%u,%u): "
                 "assert(%s) does not hold",
                 thread->thread_index_in_threadgroup, thread->threadgroup_position_in_grid.x,
                 thread->threadgroup_position_in_grid.y, thread->threadgroup_position_in_grid.z,
                 condition);
}

static void initialised(void *self, const void *memory, size_t size) {
    Block *block = block_find(self, memory);
    if (block)
        memset(block->written + ((const unsigned char *)memory - block->start), WRITTEN, size);
}

/* Into the process's log, which is printed once it has ended. */
static void logged(void *self, const SimtThread *thread, const char *line) {
    Checker *c = self;
    (void)thread;
    size_t used = strlen(c->findings->log), room = sizeof c->findings->log - used;
    if (c->findings->log_is_closed || strlen(line) + 2 > room) return;
    snprintf(c->findings->log + used, room, "%s%s", line,
             *line && line[strlen(line) - 1] == '\n' ? "" : "\n");
}

static const char *interrupted_at(const void *context) {
    const ucontext_t *user = context;
#if defined(__x86_64__)
    return (const char *)(uintptr_t)user->uc_mcontext.gregs[REG_RIP];
#else
    return (const char *)(uintptr_t)user->uc_mcontext.pc;
#endif
}

/* The kernel crashed: leave it as from any other place. */
static void on_fault(int number, siginfo_t *info, void *context) {
    (void)info;
    if (!simt_thread) {
        signal(number, SIG_DFL);
        return;
    }
    const char *at = interrupted_at(context);
    bool in_library = at >= checker->library && at < checker->library_end;
    checker_stop(checker, in_library ? (uint32_t)(at - checker->library) : 0,
                 number == SIGFPE ? "divides an integer by zero, or overflows in a division"
                                  : "needs more stack than a thread has, or crashed");
}

static void report_end(Checker *c, const char *error) {
    Finding *finding = findings_add(c->findings, FINDING_FAULT, &(Witness){0});
    if (finding) snprintf(finding->detail, sizeof finding->detail, "%s", error);
}

/* The next access ends the run. A kernel without one ends here, and its process with it. */
static void on_time(int number) {
    (void)number;
    if (checker_out_of_time) {
        report_end(checker, "has not come to an end in time");
        checker->findings->stopped = true;
        _exit(1);
    }
    checker_out_of_time = 1;
}

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
enum { FAULTS = sizeof faults / sizeof *faults };

static void watch_signals(Checker *c, unsigned seconds, struct sigaction old[FAULTS + 1]) {
    stack_t stack = {.ss_sp = c->signal_stack, .ss_size = sizeof c->signal_stack};
    sigaltstack(&stack, NULL);
    struct sigaction fault = {.sa_sigaction = on_fault,
                              .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    for (int i = 0; i < FAULTS; i++)
        sigaction(faults[i], &fault, &old[i]);
    struct sigaction time = {.sa_handler = on_time, .sa_flags = SA_ONSTACK | SA_RESTART};
    sigaction(SIGPROF, &time, &old[FAULTS]);
    checker_out_of_time = 0;
    struct itimerval limit = {.it_value = {.tv_sec = seconds}, .it_interval = {.tv_sec = 1}};
    setitimer(ITIMER_PROF, &limit, NULL);
}

static void leave_signals(const struct sigaction old[FAULTS + 1]) {
    setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL);
    for (int i = 0; i < FAULTS; i++)
        sigaction(faults[i], &old[i], NULL);
    sigaction(SIGPROF, &old[FAULTS], NULL);
}

static void forget(Checker *c) {
    for (unsigned i = 0; i < SLOTS; i++)
        if (c->blocks[i].start)
            madvise(c->blocks[i].cells, block_cell_bytes(&c->blocks[i]), MADV_DONTNEED);
    c->has_nothing = false;
    c->now = c->group_stamp = c->any_barrier = 0;
    c->group_count = 0;
    fences_forget(c->fences);
    for (unsigned i = 0; i < CHECKER_SLOTS; i++)
        if (c->blocks[i].fences)
            memset(c->blocks[i].fences, 0, SIMT_THREADS * sizeof *c->blocks[i].fences);
    memset(c->barrier, 0, sizeof c->barrier);
    memset(c->simdgroup_barrier, 0, sizeof c->simdgroup_barrier);
}

bool checker_run(Checker *c, Simt *simt, SimtLaunch *launch, unsigned seconds, bool *ended,
                 char *error, size_t error_size) {
    SimtWatcher watcher = {c,
                           order_group_starts,
                           block_place,
                           order_threadgroup_barrier,
                           order_simdgroup_barrier,
                           inactive_lane,
                           stuck,
                           asserted,
                           initialised,
                           logged,
                           texel_used,
                           texel_outside,
                           order_texture_fence};
    forget(c);
    c->runtime = simt_memory(simt);
    if (!c->private_written)
        c->private_written = block_reserve(c->runtime.stack_bytes, PROT_READ | PROT_WRITE);
    if (!c->private_written) {
        snprintf(error, error_size, "no memory to watch the threads' stacks");
        return false;
    }
    c->arguments = launch->arguments;
    c->simd_width = launch->simd_width ? launch->simd_width : 32;
    launch->watcher = &watcher;
    struct sigaction old[FAULTS + 1];
    size_t before = c->findings->count;
    checker = c;
    watch_signals(c, seconds, old);
    bool ran = simt_run(simt, launch, error, error_size);
    leave_signals(old);
    race_finish_overwrite(c);
    finish_store(c);
    finish_read(c);
    checker = NULL;
    launch->watcher = NULL;
    *ended = !ran;
    if (ran || !c->group_count) return ran;
    if (c->findings->count == before) report_end(c, error);
    return true;
}

Checker *checker_new(Findings *findings, const Symbols *symbols, const char *library,
                     const char *library_end) {
    Checker *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->findings = findings;
    c->symbols = symbols;
    c->library = library;
    c->library_end = library_end;
    c->page = (size_t)sysconf(_SC_PAGESIZE);
    c->slots = block_reserve((size_t)SLOTS << SLOT_SHIFT, PROT_NONE);
    c->fences = fences_new();
    if (c->slots && c->fences) return c;
    checker_free(c);
    return NULL;
}

void checker_free(Checker *c) {
    if (!c) return;
    for (unsigned i = 0; i < SLOTS; i++) {
        free(c->blocks[i].written);
        free(c->blocks[i].fences);
        if (c->blocks[i].cells) munmap(c->blocks[i].cells, block_cell_bytes(&c->blocks[i]) + 1);
    }
    if (c->private_written) munmap(c->private_written, c->runtime.stack_bytes);
    if (c->slots) munmap(c->slots, (size_t)SLOTS << SLOT_SHIFT);
    fences_free(c->fences);
    free(c->groups);
    free(c);
}
