/* jinja.c — memory, limits and errors of one compilation or rendering. */
#include "jinja.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Block {
    Block *next;
    size_t size, used;
    _Alignas(max_align_t) char bytes[];
};

enum { BLOCK_SIZE = 1 << 14 };

bool jinja_try(Jinja *jinja, void (*work)(Jinja *, void *), void *context) {
    if (setjmp(jinja->failed)) return false;
    work(jinja, context);
    return true;
}

void jinja_release(Jinja *jinja) {
    for (Block *block = jinja->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    jinja->blocks = NULL;
}

_Noreturn static void fail(Jinja *jinja, LLMStatus status, const char *format, va_list arguments) {
    char message[400];
    vsnprintf(message, sizeof message, format, arguments);
    if (jinja->line)
        error_set(jinja->error, status, "chat template, line %u: %s", jinja->line, message);
    else
        error_set(jinja->error, status, "%s", message);
    longjmp(jinja->failed, 1);
}

void jinja_fail(Jinja *jinja, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fail(jinja, LLM_ERROR_FORMAT, format, arguments);
}

void jinja_refuse(Jinja *jinja, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fail(jinja, LLM_ERROR_ARGUMENT, format, arguments);
}

static Block *add_block(Jinja *jinja, size_t size) {
    size_t capacity = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    if (capacity > JINJA_MAX_MEMORY - jinja->memory)
        jinja_fail(jinja, "the template needs more than %d MiB of memory", JINJA_MAX_MEMORY >> 20);
    Block *block = malloc(sizeof *block + capacity);
    if (!block) {
        error_memory(jinja->error, capacity);
        longjmp(jinja->failed, 1);
    }
    jinja->memory += capacity;
    *block = (Block){.size = capacity, .next = jinja->blocks};
    jinja->blocks = block;
    return block;
}

void *jinja_allocate(Jinja *jinja, size_t size) {
    if (size > JINJA_MAX_MEMORY)
        jinja_fail(jinja, "the template needs more than %d MiB of memory", JINJA_MAX_MEMORY >> 20);
    size_t alignment = _Alignof(max_align_t);
    size = (size + alignment - 1) / alignment * alignment;
    Block *block = jinja->blocks;
    if (!block || block->size - block->used < size) block = add_block(jinja, size);
    void *memory = block->bytes + block->used;
    block->used += size;
    return memset(memory, 0, size);
}

void *jinja_grow(Jinja *jinja, void *array, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity) return array;
    size_t grown = *capacity ? 2 * *capacity : 4;
    void *copy = jinja_allocate(jinja, grown * size);
    if (count) memcpy(copy, array, count * size);
    *capacity = grown;
    return copy;
}

void jinja_charge(Jinja *jinja, size_t bytes) {
    jinja->steps += 1 + bytes / 64;
    if (jinja->steps > JINJA_MAX_STEPS)
        jinja_fail(jinja, "the template takes more than %d steps", JINJA_MAX_STEPS);
}

void jinja_enter(Jinja *jinja) {
    jinja_charge(jinja, 0);
    if (++jinja->depth > JINJA_MAX_DEPTH)
        jinja_fail(jinja, "more than %d expressions or values within each other", JINJA_MAX_DEPTH);
}

void jinja_leave(Jinja *jinja) {
    jinja->depth--;
}
