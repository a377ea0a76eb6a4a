#include "checker_parts.h"

#include <stdlib.h>
#include <string.h>

/* By fences: accesses of this thread, or of another threadgroup. */
static bool fenced(const Checker *c, Space space, Access before) {
    const GroupStart *start = group_of_stamp(c, before.stamp);
    if (!start || (int)space >= FENCED_SPACES) return false;
    Known access = {.group = start->stamp, .thread = (uint16_t)before.thread};
    access.before[space] = before.stamp;
    return fences_order(c->fences, simt_thread->thread_index_in_threadgroup, &access,
                        before.thread / c->simd_width, space);
}

/* Is what this access did complete, for the running thread? */
static bool in_order(const Checker *c, Space space, Access before) {
    if (before.stamp < c->group_stamp) /* of another group, whose threadgroup memory is another */
        return space == SPACE_THREADGROUP || fenced(c, space, before);
    if (before.thread == simt_thread->thread_index_in_threadgroup) return true;
    if (before.stamp < c->barrier[space]) return true;
    unsigned simdgroup = before.thread / c->simd_width;
    if (simdgroup == simt_thread->simdgroup_index_in_threadgroup &&
        before.stamp < c->simdgroup_barrier[simdgroup][space])
        return true;
    return fenced(c, space, before);
}

void order_group_starts(void *self, SimtSize group) {
    Checker *c = self;
    if (c->group_count == c->group_capacity) {
        c->group_capacity = c->group_capacity ? 2 * c->group_capacity : 1024;
        c->groups = realloc(c->groups, c->group_capacity * sizeof *c->groups);
        if (!c->groups) abort();
    }
    c->group_stamp = ++c->now;
    c->groups[c->group_count++] = (GroupStart){c->now, group};
    for (unsigned i = CHECKER_SLOTS; i < SLOTS && c->blocks[i].start; i++)
        memset(c->blocks[i].written, UNWRITTEN, c->blocks[i].size);
    const char *scratch = c->slots + ((size_t)CHECKER_SLOTS << SLOT_SHIFT);
    spinning_group_starts(c);
    fences_group_starts(c->fences, scratch, (size_t)(SLOTS - CHECKER_SLOTS) << SLOT_SHIFT);
}

/* mem_flags are numbered as in <metal_stdlib>. */
static void note_barrier(Checker *c, uint32_t stamps[ORDERED_SPACES], int mem_flags) {
    c->any_barrier = ++c->now;
    for (int space = 0; space < ORDERED_SPACES; space++)
        if (mem_flags >> space & 1) stamps[space] = c->now;
}

void order_threadgroup_barrier(void *self, int mem_flags) {
    Checker *c = self;
    note_barrier(c, c->barrier, mem_flags);
    if (mem_flags) fences_meet(c->fences);
}

void order_simdgroup_barrier(void *self, unsigned simdgroup, int mem_flags) {
    Checker *c = self;
    note_barrier(c, c->simdgroup_barrier[simdgroup], mem_flags);
    if (mem_flags) fences_meet_simdgroup(c->fences, simdgroup * c->simd_width, c->simd_width);
}

/* What is in order for the running thread but for fences: its own accesses so far, and those before
 * the last barriers. */
static void release(Checker *c, const bool spaces[FENCED_SPACES]) {
    unsigned thread = simt_thread->thread_index_in_threadgroup;
    unsigned simdgroup = simt_thread->simdgroup_index_in_threadgroup;
    Known own[] = {
        {.group = c->group_stamp, .thread = (uint16_t)thread},
        {.group = c->group_stamp, .thread = (uint16_t)(SIMDGROUP_OF | simdgroup)},
        {.group = c->group_stamp, .thread = ANY_THREAD},
    };
    c->now++;
    for (int space = 0; space < FENCED_SPACES; space++) {
        if (!spaces[space]) continue;
        own[0].before[space] = c->now;
        own[1].before[space] = c->simdgroup_barrier[simdgroup][space];
        own[2].before[space] = c->barrier[space];
    }
    fences_release(c->fences, thread, own, sizeof own / sizeof *own);
}

/* memory_order is numbered as in <metal_stdlib>: relaxed, acquire, release, both, seq_cst. */
void order_fence(Checker *c, int mem_flags, int order) {
    bool spaces[FENCED_SPACES] = {mem_flags & 1, mem_flags & 2};
    if (order == 1 || order >= 3)
        fences_acquire(c->fences, simt_thread->thread_index_in_threadgroup, spaces);
    if (order >= 2) release(c, spaces);
}

void order_texture_fence(void *self, const SimtTexture *texture) {
    Checker *c = self;
    Block *block = block_find(c, (const char *)texture->texels);
    block->fences[simt_thread->thread_index_in_threadgroup] = ++c->now;
}

/* What a thread has written to a texture it sees after a fence or a barrier. */
static bool is_visible(const Checker *c, const Block *block, Access write) {
    unsigned self = simt_thread->thread_index_in_threadgroup;
    if (!block->fences || write.thread != self || write.stamp < c->group_stamp) return true;
    return write.stamp < block->fences[self] || write.stamp < c->barrier[SPACE_TEXTURE];
}

/* Give each of a block's cells fewer bytes. */
static void refine(Block *block, unsigned shift) {
    size_t count = (block_cell_bytes(block) / sizeof(Cell)) >> block->shift;
    unsigned parts = 1u << (block->shift - shift);
    for (size_t i = count; i-- > 0;) {
        Cell cell = block->cells[i];
        for (unsigned part = 0; part < parts; part++)
            block->cells[i * parts + part] = cell;
    }
    block->shift = shift;
}

/* The write under way is done, or never will be: did it change anything? */
void race_finish_overwrite(Checker *c) {
    Overwrite *overwrite = &c->overwrite;
    if (!overwrite->finding) return;
    if (memcmp(overwrite->address, overwrite->before, overwrite->bytes) != 0)
        overwrite->finding->same_value = false;
    overwrite->finding = NULL;
}

static void begin_overwrite(Checker *c, Finding *finding, const unsigned char *address,
                            size_t bytes) {
    if (!finding->same_value) return;
    if (bytes > sizeof c->overwrite.before) {
        finding->same_value = false;
        return;
    }
    c->overwrite = (Overwrite){.finding = finding, .address = address, .bytes = bytes};
    memcpy(c->overwrite.before, address, bytes);
}

static void report_race(Checker *c, const Block *block, size_t offset, size_t bytes, uint32_t code,
                        Access self, bool writes, Access before, bool before_writes) {
    Witness at = witness_here(code, writes, self.atomic),
            other = witness_earlier(c, before, before_writes);
    Finding *finding = finding_known(c, FINDING_RACE, code, before.code, block->name);
    bool weak = before.stamp >= c->group_stamp && before.stamp < c->any_barrier;
    if (finding) {
        finding->weak_barrier = finding->weak_barrier && weak;
    } else {
        finding = finding_of_access(c, FINDING_RACE, block, &at, &other);
        if (!finding) return;
        block_locate(block, finding, (ptrdiff_t)offset, bytes);
        finding->same_value = writes && before_writes && !self.atomic && !before.atomic;
        finding->weak_barrier = weak;
    }
    begin_overwrite(c, finding, block->start + offset, bytes);
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
        if (write.stamp && !(write.atomic && self.atomic) &&
            !(in_order(c, block->space, write) && (writes || is_visible(c, block, write))))
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

void race_check(Checker *c, Block *block, size_t offset, size_t bytes, uint32_t code, bool writes,
                bool atomic) {
    for (unsigned shift = block->shift; (offset | bytes) & ((1u << block->shift) - 1);)
        refine(block, --shift);
    Access self = {.code = code,
                   .thread = simt_thread->thread_index_in_threadgroup,
                   .atomic = atomic,
                   .stamp = c->now};
    for (size_t i = offset >> block->shift; i << block->shift < offset + bytes; i++)
        check_cell(c, block, &block->cells[i], offset, bytes, self, writes);
}
