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

/* Place a block in its slot, some way past the slot's start. */
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

unsigned char *checker_buffer(Checker *c, unsigned slot, int index, const char *name, size_t size,
                              Space space, bool writable) {
    Block *block = &c->blocks[slot];
    if (!place_block(c, slot, size)) return NULL;
    block->space = space;
    block->writable = writable;
    block->index = index;
    snprintf(block->name, sizeof block->name, "%s", name);
    return block->start;
}

unsigned char *checker_texture(Checker *c, unsigned slot, int index, const char *name,
                               SimtTexture *texture, bool writable) {
    size_t size = (size_t)texture->layers * texture->depth * texture->height * texture->width *
                  texture->channels * texture->channel_bytes;
    Block *block = &c->blocks[slot];
    block->fences = calloc(SIMT_THREADS, sizeof *block->fences);
    texture->texels = checker_buffer(c, slot, index, name, size, SPACE_TEXTURE, writable);
    block->texture = texture;
    return block->fences ? texture->texels : NULL;
}

void checker_fill(Checker *c, unsigned slot, const void *data) {
    Block *block = &c->blocks[slot];
    if (data)
        memcpy(block->start, data, block->size);
    else
        memset(block->start, 0xFF, block->size);
    memset(block->written, data ? WRITTEN : UNWRITTEN, block->size);
}

void checker_put(Checker *c, unsigned slot, size_t offset, const void *data, size_t bytes) {
    Block *block = &c->blocks[slot];
    memcpy(block->start + offset, data, bytes);
    memset(block->written + offset, WRITTEN, bytes);
}

bool checker_is_written(const Checker *c, unsigned slot, size_t byte) {
    return c->blocks[slot].written[byte] != UNWRITTEN;
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

bool checker_is_swapped(const Checker *c, unsigned index) {
    return c->blocks[index].is_swapped;
}

void checker_name_scratch(Checker *c, unsigned index, const char *name) {
    snprintf(c->scratch_names[index], sizeof c->scratch_names[index], "%s", name);
}

void *block_place(void *self, const SimtVariable *variable, unsigned index, size_t size) {
    Checker *c = self;
    unsigned slot = CHECKER_SLOTS;
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

/* "texel (3,4) of layer 1" */
static void name_texel(const SimtTexture *texture, size_t texel, char *name, size_t size) {
    size_t x = texel % texture->width, y = texel / texture->width % texture->height;
    size_t slice = texel / texture->width / texture->height;
    size_t z = slice % texture->depth, layer = slice / texture->depth;
    int used = texture->axes == 1   ? snprintf(name, size, "texel %zu", x)
               : texture->axes == 2 ? snprintf(name, size, "texel (%zu,%zu)", x, y)
                                    : snprintf(name, size, "texel (%zu,%zu,%zu)", x, y, z);
    if (texture->layers > 1 && used > 0 && (size_t)used < size)
        snprintf(name + used, size - (size_t)used, " of layer %zu", layer);
}

void block_locate(const Block *block, Finding *finding, ptrdiff_t offset, size_t bytes) {
    finding->offset = offset;
    finding->bytes = bytes;
    if (!block->texture || offset < 0) return;
    size_t texel = (size_t)block->texture->channels * block->texture->channel_bytes;
    name_texel(block->texture, (size_t)offset / texel, finding->part, sizeof finding->part);
}
