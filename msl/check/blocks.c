#include "checker_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static size_t round_up(size_t size, size_t unit) {
    return (size + unit - 1) / unit * unit;
}

void *block_reserve(size_t size, int protection) {
    void *memory = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

size_t block_cell_bytes(const Block *block) {
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
    block->cells = block_reserve(block_cell_bytes(block) + 1, PROT_READ | PROT_WRITE);
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

bool checker_is_written(const Checker *c, unsigned index, size_t byte) {
    return c->blocks[index].written[byte] != UNWRITTEN;
}

uint64_t checker_writer(const Checker *c, unsigned index, size_t byte) {
    const Block *block = &c->blocks[index];
    Access write = block->cells[byte >> block->shift].writes[0];
    const GroupStart *start = write.stamp ? group_of_stamp(c, write.stamp) : NULL;
    if (!start) return 0;
    uint64_t group = ((uint64_t)start->group.z << 21 | start->group.y) << 21 | start->group.x;
    return 1 + (group << 10 | write.thread);
}

bool checker_is_exchanged(const Checker *c, unsigned index) {
    return c->blocks[index].is_exchanged;
}

void checker_name_scratch(Checker *c, unsigned index, const char *name) {
    snprintf(c->scratch_names[index], sizeof c->scratch_names[index], "%s", name);
}

void *block_place(void *self, const SimtVariable *variable, unsigned index, size_t size) {
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

/* NULL if the address is in no slot. */
Block *block_find(Checker *c, const char *address) {
    size_t slot = (size_t)(address - c->slots) >> SLOT_SHIFT;
    if (address < c->slots || slot >= SLOTS) return NULL;
    return c->blocks[slot].start ? &c->blocks[slot] : NULL;
}

bool block_within(const void *address, size_t bytes, const void *start, size_t size) {
    size_t offset = (size_t)((const char *)address - (const char *)start);
    return offset < size && bytes <= size - offset;
}
