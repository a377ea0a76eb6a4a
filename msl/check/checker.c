#include "checker.h"
#include "watch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    BUFFER_SLOTS = SIMT_BUFFERS,
    SLOTS = BUFFER_SLOTS + 65, /* and threadgroup memory */
    SLOT_SHIFT = 35,           /* 32 GiB: a 32-bit index that wrapped around still hits the slot */
    FINDINGS = 256,
    WRITTEN = 1, /* of a byte that is watched; 0: of one that is not */
    UNWRITTEN = 3,
    SIGNAL_STACK_BYTES = 65536,
};

/* Who touched a piece of memory. All zero: nobody. */
typedef struct Access {
    uint64_t code : 24; /* offset of the instruction in the library */
    uint64_t thread : 10;
    uint64_t atomic : 1;
    uint64_t stamp : 29; /* Checker.now at that time */
} Access;

/* The last accesses to a piece of memory that are not in order with one another: two of different
 * threads, if possible of different simdgroups, stand for all. */
typedef struct Cell {
    Access writes[2], reads[2];
} Cell;

/* A buffer, or threadgroup memory. */
typedef struct Block {
    unsigned char *start; /* NULL: free */
    size_t size;
    Space space;
    bool writable;
    const SimtVariable *variable;
    int index; /* −1: a variable */
    char name[64];
    unsigned char *written; /* [size] WRITTEN or UNWRITTEN */
    Cell *cells;            /* one for each 1 << shift bytes */
    unsigned shift;
} Block;

typedef struct GroupStart {
    uint32_t stamp;
    SimtSize group;
} GroupStart;

struct Checker {
    const Symbols *symbols;
    const char *library, *library_end;
    char *slots; /* [SLOTS] of 1 << SLOT_SHIFT bytes, with the blocks in them */
    Block blocks[SLOTS];
    size_t page;

    char scratch_names[SIMT_BUFFERS][64];

    SimtMemory runtime;
    unsigned char *private_written; /* for each byte of the stacks: 0, WRITTEN or UNWRITTEN */
    void *const *arguments;
    unsigned simd_width;
    const char *atomic; /* here the next access is part of an atomic one that was checked */

    uint32_t now;         /* counts barriers and threadgroups */
    uint32_t group_stamp; /* when the running threadgroup started */
    uint32_t barrier[2];  /* the last barrier of the threadgroup, by space */
    uint32_t simdgroup_barrier[SIMT_THREADS][2];
    GroupStart *groups; /* of this launch */
    size_t group_count, group_capacity;

    Finding findings[FINDINGS];
    size_t finding_count;
    char signal_stack[SIGNAL_STACK_BYTES];
};

static Checker *checker; /* the running one */
static volatile sig_atomic_t out_of_time;

/* --- findings --- */

static SimtSize group_at(const Checker *c, uint32_t stamp) {
    size_t low = 0, high = c->group_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (c->groups[middle].stamp <= stamp)
            low = middle;
        else
            high = middle;
    }
    return high ? c->groups[low].group : (SimtSize){0, 0, 0};
}

static Witness here(uint32_t code, bool writes, bool atomic) {
    return (Witness){
        .code = code,
        .group = simt_thread->threadgroup_position_in_grid,
        .thread = simt_thread->thread_index_in_threadgroup,
        .writes = writes,
        .atomic = atomic,
    };
}

static Witness earlier(const Checker *c, Access access, bool writes) {
    return (Witness){
        .code = access.code,
        .group = group_at(c, access.stamp),
        .thread = access.thread,
        .writes = writes,
        .atomic = access.atomic,
    };
}

/* A pair of instructions is reported once for each memory, in either order. */
static bool known(const Checker *c, FindingKind kind, uint32_t code, uint32_t other,
                  const char *name) {
    for (size_t i = 0; i < c->finding_count; i++) {
        const Finding *f = &c->findings[i];
        bool same = (f->at.code == code && f->other.code == other) ||
                    (f->at.code == other && f->other.code == code);
        if (f->kind == kind && same && !strcmp(f->name, name)) return true;
    }
    return false;
}

Finding *checker_report(Checker *c, FindingKind kind, const Witness *at) {
    if (c->finding_count == FINDINGS) return NULL;
    Finding *finding = &c->findings[c->finding_count++];
    *finding = (Finding){.kind = kind, .at = *at, .index = -1};
    return finding;
}

/* NULL if it is known. */
static Finding *report_access(Checker *c, FindingKind kind, const Block *block, const Witness *at,
                              const Witness *other) {
    if (known(c, kind, at->code, other ? other->code : 0, block->name)) return NULL;
    Finding *finding = checker_report(c, kind, at);
    if (!finding) return NULL;
    if (other) finding->other = *other;
    finding->space = block->space;
    finding->index = block->index;
    finding->size = block->size;
    snprintf(finding->name, sizeof finding->name, "%s", block->name);
    return finding;
}

/* The run cannot go on behind this. */
static void stop(Checker *c, uint32_t code, const char *detail) {
    Witness at = here(code, false, false);
    Finding *finding = checker_report(c, FINDING_FAULT, &at);
    if (finding) snprintf(finding->detail, sizeof finding->detail, "%s", detail);
    simt_stop(detail);
}

static void fill_place(const Checker *c, Witness *witness) {
    if (witness->code && !witness->place.file)
        witness->place = symbols_place(c->symbols, witness->code);
}

const Finding *checker_findings(Checker *c, size_t *count) {
    for (size_t i = 0; i < c->finding_count; i++) {
        fill_place(c, &c->findings[i].at);
        fill_place(c, &c->findings[i].other);
    }
    *count = c->finding_count;
    return c->findings;
}

/* --- order --- */

/* Is what this access did complete, for the running thread? */
static bool in_order(const Checker *c, Space space, Access before) {
    if (before.stamp < c->group_stamp)
        return space == SPACE_THREADGROUP; /* memory of another group */
    if (before.thread == simt_thread->thread_index_in_threadgroup) return true;
    if (before.stamp < c->barrier[space]) return true;
    unsigned simdgroup = before.thread / c->simd_width;
    return simdgroup == simt_thread->simdgroup_index_in_threadgroup &&
           before.stamp < c->simdgroup_barrier[simdgroup][space];
}

static void group_starts(void *self, SimtSize group) {
    Checker *c = self;
    if (c->group_count == c->group_capacity) {
        c->group_capacity = c->group_capacity ? 2 * c->group_capacity : 1024;
        c->groups = realloc(c->groups, c->group_capacity * sizeof *c->groups);
        if (!c->groups) abort();
    }
    c->group_stamp = ++c->now;
    c->groups[c->group_count++] = (GroupStart){c->now, group};
    for (unsigned i = BUFFER_SLOTS; i < SLOTS && c->blocks[i].start; i++)
        memset(c->blocks[i].written, UNWRITTEN, c->blocks[i].size);
}

/* mem_flags are numbered as in <metal_stdlib>. */
static void note_barrier(Checker *c, uint32_t stamps[2], int mem_flags) {
    c->now++;
    if (mem_flags & 1) stamps[SPACE_DEVICE] = c->now;
    if (mem_flags & 2) stamps[SPACE_THREADGROUP] = c->now;
}

static void threadgroup_barrier(void *self, int mem_flags) {
    Checker *c = self;
    note_barrier(c, c->barrier, mem_flags);
}

static void simdgroup_barrier(void *self, unsigned simdgroup, int mem_flags) {
    Checker *c = self;
    note_barrier(c, c->simdgroup_barrier[simdgroup], mem_flags);
}

static Witness thread_at(const SimtThread *thread, SimtPlace place) {
    return (Witness){
        .place = {place.file, (int)place.line},
        .group = thread->threadgroup_position_in_grid,
        .thread = thread->thread_index_in_threadgroup,
    };
}

static bool known_place(const Checker *c, FindingKind kind, SimtPlace place) {
    for (size_t i = 0; i < c->finding_count; i++)
        if (c->findings[i].kind == kind && c->findings[i].at.place.line == (int)place.line)
            return true;
    return false;
}

static void inactive_lane(void *self, const SimtThread *thread, SimtPlace place, unsigned source) {
    Checker *c = self;
    if (known_place(c, FINDING_INACTIVE_LANE, place)) return;
    Witness at = thread_at(thread, place);
    Finding *finding = checker_report(c, FINDING_INACTIVE_LANE, &at);
    if (finding)
        snprintf(finding->detail, sizeof finding->detail,
                 "lane %u of simdgroup %u reads from lane %u, which takes no part in this %s",
                 thread->thread_index_in_simdgroup, thread->simdgroup_index_in_threadgroup, source,
                 place.function);
}

static void stuck(void *self, const SimtThread *thread, SimtPlace place, const char *message) {
    Checker *c = self;
    if (known_place(c, FINDING_BARRIER, place)) return;
    Witness at = thread_at(thread, place);
    Finding *finding = checker_report(c, FINDING_BARRIER, &at);
    if (finding) snprintf(finding->detail, sizeof finding->detail, "%s", message);
}

/* --- memory --- */

static size_t round_up(size_t size, size_t unit) {
    return (size + unit - 1) / unit * unit;
}

static void *reserve(size_t size, int protection) {
    void *memory = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static size_t cell_bytes(const Block *block) {
    return round_up(block->size, 4) * sizeof(Cell);
}

/* Place a block in its slot, some way behind the slot's start. */
static bool place_block(Checker *c, unsigned slot, size_t size) {
    Block *block = &c->blocks[slot];
    size_t slot_bytes = (size_t)1 << SLOT_SHIFT;
    if (size > slot_bytes / 4) return false;
    block->size = size;
    block->shift = 2;
    block->start = (unsigned char *)c->slots + slot * slot_bytes + slot_bytes / 4;
    block->written = malloc(size ? size : 1);
    block->cells = reserve(cell_bytes(block) + 1, PROT_READ | PROT_WRITE);
    return block->written && block->cells &&
           mprotect(block->start, round_up(size ? size : 1, c->page), PROT_READ | PROT_WRITE) == 0;
}

unsigned char *checker_buffer(Checker *c, unsigned index, const char *name, size_t size,
                              Space space, bool writable) {
    Block *block = &c->blocks[index];
    if (!place_block(c, index, size)) return NULL;
    block->space = space;
    block->writable = writable;
    block->index = (int)index;
    snprintf(block->name, sizeof block->name, "%s", name);
    return block->start;
}

void checker_fill(Checker *c, unsigned index, const void *data) {
    Block *block = &c->blocks[index];
    if (data)
        memcpy(block->start, data, block->size);
    else
        memset(block->start, 0xFF, block->size);
    memset(block->written, data ? WRITTEN : UNWRITTEN, block->size);
}

void checker_name_scratch(Checker *c, unsigned index, const char *name) {
    snprintf(c->scratch_names[index], sizeof c->scratch_names[index], "%s", name);
}

static void *place(void *self, const SimtVariable *variable, unsigned index, size_t size) {
    Checker *c = self;
    unsigned slot = BUFFER_SLOTS;
    for (; slot < SLOTS && c->blocks[slot].start; slot++) {
        const Block *block = &c->blocks[slot];
        if (block->variable == variable && (variable || block->index == (int)index))
            return block->start;
    }
    if (slot == SLOTS || !place_block(c, slot, size)) return NULL;
    Block *block = &c->blocks[slot];
    block->space = SPACE_THREADGROUP;
    block->writable = true;
    block->variable = variable;
    block->index = variable ? -1 : (int)index;
    snprintf(block->name, sizeof block->name, "%s",
             variable ? variable->name : c->scratch_names[index]);
    memset(block->written, UNWRITTEN, size);
    return block->start;
}

/* Give each of a block's cells fewer bytes. */
static void refine(Block *block, unsigned shift) {
    size_t count = round_up(block->size, 4) >> block->shift;
    unsigned parts = 1u << (block->shift - shift);
    for (size_t i = count; i-- > 0;) {
        Cell cell = block->cells[i];
        for (unsigned part = 0; part < parts; part++)
            block->cells[i * parts + part] = cell;
    }
    block->shift = shift;
}

/* --- races --- */

static void report_race(Checker *c, const Block *block, size_t offset, size_t bytes, uint32_t code,
                        Access self, bool writes, Access before, bool before_writes) {
    Witness at = here(code, writes, self.atomic), other = earlier(c, before, before_writes);
    Finding *finding = report_access(c, FINDING_RACE, block, &at, &other);
    if (!finding) return;
    finding->offset = (ptrdiff_t)offset;
    finding->bytes = bytes;
}

/* Keep `self`, and of the others one that it does not stand for. */
static void remember(const Checker *c, Space space, Access slots[2], Access self) {
    for (int i = 0; i < 2; i++)
        if (slots[i].stamp && slots[i].stamp >= c->group_stamp && slots[i].thread == self.thread) {
            slots[i] = self;
            return;
        }
    for (int i = 0; i < 2; i++)
        if (!slots[i].stamp || in_order(c, space, slots[i])) {
            slots[i] = self;
            return;
        }
    bool together = slots[0].thread / c->simd_width == slots[1].thread / c->simd_width;
    if (together && slots[0].stamp >= c->group_stamp) slots[1] = self;
}

static void check_cell(Checker *c, const Block *block, Cell *cell, size_t offset, size_t bytes,
                       Access self, bool writes) {
    for (int i = 0; i < 2; i++) {
        Access write = cell->writes[i], read = cell->reads[i];
        if (write.stamp && !(write.atomic && self.atomic) && !in_order(c, block->space, write))
            report_race(c, block, offset, bytes, self.code, self, writes, write, true);
        if (writes && read.stamp && !(read.atomic && self.atomic) &&
            !in_order(c, block->space, read))
            report_race(c, block, offset, bytes, self.code, self, writes, read, false);
    }
    if (!writes)
        remember(c, block->space, cell->reads, self);
    else if (self.atomic)
        remember(c, block->space, cell->writes, self);
    else
        *cell = (Cell){.writes = {self}}; /* what came before is in order, or reported */
}

static void check_races(Checker *c, Block *block, size_t offset, size_t bytes, uint32_t code,
                        bool writes, bool atomic) {
    for (unsigned shift = block->shift; (offset | bytes) & ((1u << block->shift) - 1);)
        refine(block, --shift);
    Access self = {.code = code,
                   .thread = simt_thread->thread_index_in_threadgroup,
                   .atomic = atomic,
                   .stamp = c->now};
    for (size_t i = offset >> block->shift; i << block->shift < offset + bytes; i++)
        check_cell(c, block, &block->cells[i], offset, bytes, self, writes);
}

/* --- accesses --- */

/* NULL if the address is in no slot. */
static Block *find_block(Checker *c, const char *address) {
    size_t slot = (size_t)(address - c->slots) >> SLOT_SHIFT;
    if (address < c->slots || slot >= SLOTS) return NULL;
    return c->blocks[slot].start ? &c->blocks[slot] : NULL;
}

static bool within(const void *address, size_t bytes, const void *start, size_t size) {
    size_t offset = (size_t)((const char *)address - (const char *)start);
    return offset < size && bytes <= size - offset;
}

/* In the SIMT runtime's own memory, which the language's functions use. */
static bool of_runtime(const Checker *c, const void *address, size_t bytes) {
    return within(address, bytes, c->runtime.threads, c->runtime.thread_bytes) ||
           within(address, bytes, c->arguments, SIMT_BUFFERS * sizeof *c->arguments) ||
           within(address, bytes, &simt_thread, sizeof simt_thread);
}

static void check_wild(Checker *c, const char *address, size_t bytes, uint32_t code, bool writes) {
    if (of_runtime(c, address, bytes)) return;
    bool in_library = within(address, bytes, c->library, (size_t)(c->library_end - c->library));
    if (in_library && !writes) return;
    if (!in_library) {
        stop(c, code,
             writes ? "writes where no memory of the kernel is: a null or wild pointer"
                    : "reads where no memory of the kernel is: a null or wild pointer");
        return;
    }
    Witness at = here(code, true, false);
    Finding *finding = checker_report(c, FINDING_CONST, &at);
    if (finding)
        snprintf(finding->detail, sizeof finding->detail, "writes to a program-scope constant");
    simt_stop("wrote to a program-scope constant");
}

/* The access goes on, to memory that is there for it. */
static void report_bounds(Checker *c, const Block *block, const char *address, size_t bytes,
                          uint32_t code, bool writes) {
    Witness at = here(code, writes, false);
    Finding *finding = report_access(c, FINDING_OUT_OF_BOUNDS, block, &at, NULL);
    if (finding) {
        finding->offset = address - (const char *)block->start;
        finding->bytes = bytes;
    }
    char *page = (char *)((uintptr_t)address / c->page * c->page);
    if (mprotect(page, (size_t)(address - page) + bytes, PROT_READ | PROT_WRITE) != 0)
        stop(c, code, "has made too many accesses out of bounds");
}

static void report_unwritten(Checker *c, const Block *block, const char *address, size_t bytes,
                             uint32_t code) {
    Witness at = here(code, false, false);
    Finding *finding = report_access(c, FINDING_UNWRITTEN, block, &at, NULL);
    if (!finding) return;
    finding->offset = address - (const char *)block->start;
    finding->bytes = bytes;
}

static bool any_unwritten(const unsigned char *written, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (written[i] == UNWRITTEN) return true;
    return false;
}

static void mark_written(unsigned char *written, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        written[i] &= WRITTEN;
}

/* A copy, and a private struct as an argument, may take along padding that nothing wrote, but not
 * nothing else. */
static bool all_unwritten(const unsigned char *written, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (written[i] != UNWRITTEN) return false;
    return bytes > 0;
}

static void check_block(Checker *c, Block *block, const char *address, size_t bytes, uint32_t code,
                        unsigned use) {
    bool writes = use & WRITE;
    if (!within(address, bytes, block->start, block->size)) {
        report_bounds(c, block, address, bytes, code, writes);
        return;
    }
    size_t offset = (size_t)(address - (const char *)block->start);
    Witness at = here(code, writes, use & ATOMIC);
    if (writes && !block->writable) report_access(c, FINDING_CONST, block, &at, NULL);
    const unsigned char *written = block->written + offset;
    if (use & READ && (use & COPY ? all_unwritten(written, bytes) : any_unwritten(written, bytes)))
        report_unwritten(c, block, address, bytes, code);
    if (writes && !(use & COPY)) mark_written(block->written + offset, bytes);
    if (block->writable) check_races(c, block, offset, bytes, code, writes, use & ATOMIC);
}

static void report_private(Checker *c, size_t stack_offset, size_t bytes, uint32_t code,
                           const char *frame) {
    const Function *function = symbols_function(c->symbols, code);
    ptrdiff_t from = c->runtime.stacks + stack_offset - frame;
    Block block = {.name = "", .index = -1, .space = SPACE_PRIVATE};
    int line = 0;
    for (size_t i = 0; function && i < function->count; i++) {
        const Local *local = &function->locals[i];
        if (from < local->from || from >= local->from + (ptrdiff_t)local->size) continue;
        snprintf(block.name, sizeof block.name, "%s", local->name);
        block.size = local->size;
        line = local->line;
        from -= local->from;
        break;
    }
    Witness at = here(code, false, false);
    Finding *finding = report_access(c, FINDING_UNWRITTEN, &block, &at, NULL);
    if (!finding) return;
    finding->offset = line ? from : 0;
    finding->bytes = bytes;
    finding->other.place.line = line;
}

static void check_private(Checker *c, size_t offset, size_t bytes, uint32_t code, unsigned use,
                          const char *frame) {
    unsigned char *written = c->private_written + offset;
    if (use & READ && all_unwritten(written, bytes)) {
        report_private(c, offset, bytes, code, frame);
        mark_written(written, bytes); /* once */
    }
    if (use & WRITE && !(use & COPY)) mark_written(written, bytes);
}

void watch_access(const void *pointer, size_t bytes, unsigned use, const void *caller,
                  const void *frame) {
    Checker *c = checker;
    if (!simt_thread || !bytes) return;
    const char *address = pointer;
    uint32_t code = (uint32_t)((const char *)caller - c->library) - 1;
    if (out_of_time) stop(c, code, "has not come to an end in time");
    if (address == c->atomic) {
        c->atomic = NULL;
        return;
    }
    size_t offset = (size_t)(address - c->runtime.stacks);
    Block *block;
    if (offset < c->runtime.stack_bytes)
        check_private(c, offset, bytes, code, use, frame);
    else if ((block = find_block(c, address)))
        check_block(c, block, address, bytes, code, use);
    else
        check_wild(c, address, bytes, code, use & WRITE);
}

/* Of watched memory, for each byte; NULL if it is not watched. */
static unsigned char *written_of(Checker *c, const char *address, size_t bytes) {
    if (within(address, bytes, c->runtime.stacks, c->runtime.stack_bytes))
        return c->private_written + (address - c->runtime.stacks);
    Block *block = find_block(c, address);
    if (!block || !within(address, bytes, block->start, block->size)) return NULL;
    return block->written + (address - (const char *)block->start);
}

void watch_copy(const void *to, const void *from, size_t bytes) {
    unsigned char *target = written_of(checker, to, bytes);
    const unsigned char *source = written_of(checker, from, bytes);
    for (size_t i = 0; target && i < bytes; i++)
        target[i] = target[i] && source && source[i] == UNWRITTEN ? UNWRITTEN : target[i] & WRITTEN;
}

void watch_function(const char *low, const char *frame, const void *caller) {
    Checker *c = checker;
    if (!simt_thread) return;
    size_t offset = (size_t)(low - c->runtime.stacks);
    if (offset >= c->runtime.stack_bytes) return;
    unsigned char *written = c->private_written + offset;
    memset(written, 0, (size_t)(frame - low));
    const Function *function =
        symbols_function(c->symbols, (uint32_t)((const char *)caller - c->library) - 1);
    for (size_t i = 0; function && i < function->count; i++) {
        const Local *local = &function->locals[i];
        memset(written + (frame - low) + local->from, UNWRITTEN, local->size);
    }
}

void watch_atomic(const void *address, size_t bytes, unsigned use, const void *caller,
                  const void *frame) {
    checker->atomic = NULL;
    watch_access(address, bytes, use | ATOMIC, caller, frame);
    if (use != (READ | WRITE)) checker->atomic = address;
}

void watch_index(const char *file, unsigned line, long long index, const char *array) {
    Checker *c = checker;
    SimtPlace place = {NULL, file, line};
    if (known_place(c, FINDING_OUT_OF_BOUNDS, place)) return;
    Witness at = thread_at(simt_thread, place);
    Finding *finding = checker_report(c, FINDING_OUT_OF_BOUNDS, &at);
    if (finding)
        snprintf(finding->detail, sizeof finding->detail, "index %lld of an array of type %s",
                 index, array);
}

/* --- running --- */

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
    stop(checker, in_library ? (uint32_t)(at - checker->library) : 0,
         number == SIGFPE ? "divides an integer by zero, or overflows in a division"
                          : "needs more stack than a thread has, or crashed");
}

/* The next access ends the run. A kernel without one is beyond that. */
static void on_time(int number) {
    (void)number;
    static const char message[] = "metal-check: the kernel has not come to an end in time\n";
    if (out_of_time) {
        if (write(STDERR_FILENO, message, sizeof message - 1) < 0) _exit(2);
        _exit(1);
    }
    out_of_time = 1;
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
    out_of_time = 0;
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
            madvise(c->blocks[i].cells, cell_bytes(&c->blocks[i]), MADV_DONTNEED);
    c->now = c->group_stamp = 0;
    c->group_count = 0;
    memset(c->barrier, 0, sizeof c->barrier);
    memset(c->simdgroup_barrier, 0, sizeof c->simdgroup_barrier);
}

static void report_end(Checker *c, const char *error) {
    Finding *finding = checker_report(c, FINDING_FAULT, &(Witness){0});
    if (finding) snprintf(finding->detail, sizeof finding->detail, "%s", error);
}

bool checker_run(Checker *c, Simt *simt, SimtLaunch *launch, unsigned seconds, bool *ended,
                 char *error, size_t error_size) {
    SimtWatcher watcher = {
        c, group_starts, place, threadgroup_barrier, simdgroup_barrier, inactive_lane, stuck};
    forget(c);
    c->runtime = simt_memory(simt);
    if (!c->private_written)
        c->private_written = reserve(c->runtime.stack_bytes, PROT_READ | PROT_WRITE);
    if (!c->private_written) {
        snprintf(error, error_size, "no memory to watch the threads' stacks");
        return false;
    }
    c->arguments = launch->arguments;
    c->simd_width = launch->simd_width ? launch->simd_width : 32;
    launch->watcher = &watcher;
    struct sigaction old[FAULTS + 1];
    size_t before = c->finding_count;
    checker = c;
    watch_signals(c, seconds, old);
    bool ran = simt_run(simt, launch, error, error_size);
    leave_signals(old);
    checker = NULL;
    launch->watcher = NULL;
    *ended = !ran;
    if (ran || !c->group_count) return ran;
    if (c->finding_count == before) report_end(c, error);
    return true;
}

Checker *checker_new(const Symbols *symbols, const char *library, const char *library_end) {
    Checker *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->symbols = symbols;
    c->library = library;
    c->library_end = library_end;
    c->page = (size_t)sysconf(_SC_PAGESIZE);
    c->slots = reserve((size_t)SLOTS << SLOT_SHIFT, PROT_NONE);
    if (c->slots) return c;
    free(c);
    return NULL;
}

void checker_free(Checker *c) {
    if (!c) return;
    for (unsigned i = 0; i < SLOTS; i++) {
        free(c->blocks[i].written);
        if (c->blocks[i].cells) munmap(c->blocks[i].cells, cell_bytes(&c->blocks[i]) + 1);
    }
    if (c->private_written) munmap(c->private_written, c->runtime.stack_bytes);
    munmap(c->slots, (size_t)SLOTS << SLOT_SHIFT);
    free(c->groups);
    free(c);
}
