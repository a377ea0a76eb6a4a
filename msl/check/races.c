#include "checker_parts.h"

#include <stdlib.h>
#include <string.h>

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

void order_group_starts(void *self, SimtSize group) {
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
    c->any_barrier = ++c->now;
    if (mem_flags & 1) stamps[SPACE_DEVICE] = c->now;
    if (mem_flags & 2) stamps[SPACE_THREADGROUP] = c->now;
}

void order_threadgroup_barrier(void *self, int mem_flags) {
    Checker *c = self;
    note_barrier(c, c->barrier, mem_flags);
}

void order_simdgroup_barrier(void *self, unsigned simdgroup, int mem_flags) {
    Checker *c = self;
    note_barrier(c, c->simdgroup_barrier[simdgroup], mem_flags);
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
        finding->offset = (ptrdiff_t)offset;
        finding->bytes = bytes;
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
