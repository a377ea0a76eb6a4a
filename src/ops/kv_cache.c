#include "kv_cache.h"

#include <stdlib.h>

/* Memory is taken for so many pages at a time, at least: 256 tokens. */
enum { PAGES_AT_ONCE = 8 };
/* A copy's words are counted in 32 bits. */
#define COPY_MOST ((size_t)1 << 32)

/* --- open and close --- */

static bool open_group(KvCache *cache, PageGroup *group, LLMError *error) {
    if (group->pages) return true;
    size_t entries = (size_t)cache->rows * cache->row_pages;
    group->pages = pages_new(cache->rows, cache->row_pages, error);
    group->table = device_buffer_new(cache->device, entries * sizeof(uint32_t));
    return group->pages && !device_failed(cache->device, error);
}

bool kv_cache_open(KvCache *cache, Device *device, const KvShape *shape, LLMError *error) {
    size_t layers = shape->layers, token = (size_t)shape->kv_heads * shape->head_size;
    *cache = (KvCache){.device = device,
                       .rows = shape->rows,
                       .row_pages = pages_for(shape->capacity),
                       .layers = shape->layers,
                       .page_bytes = token * PAGE_TOKENS * shape->number,
                       .windowed = {.window = shape->window},
                       .group = calloc(layers, sizeof *cache->group),
                       .keys = calloc(layers, sizeof *cache->keys),
                       .values = calloc(layers, sizeof *cache->values)};
    if (!cache->group || !cache->keys || !cache->values)
        return error_memory(error, layers * sizeof *cache->keys);
    for (size_t l = 0; l < layers; l++) {
        cache->group[l] = shape->windowed[l] ? &cache->windowed : &cache->global;
        if (!open_group(cache, cache->group[l], error)) return false;
    }
    return true;
}

void kv_cache_close(KvCache *cache) {
    for (uint32_t l = 0; l < cache->layers; l++) {
        if (cache->keys) device_buffer_free(cache->keys[l]);
        if (cache->values) device_buffer_free(cache->values[l]);
    }
    device_buffer_free(cache->global.table);
    device_buffer_free(cache->windowed.table);
    pages_free(cache->global.pages);
    pages_free(cache->windowed.pages);
    free(cache->group);
    free(cache->keys);
    free(cache->values);
}

size_t kv_cache_full_bytes(const KvShape *shape) {
    size_t token = (size_t)shape->kv_heads * shape->head_size * shape->number;
    return 2 * shape->layers * token * shape->rows * shape->capacity;
}

size_t kv_cache_bytes(const KvCache *cache) {
    size_t pages = 0;
    for (uint32_t l = 0; l < cache->layers; l++)
        pages += 2 * (size_t)pages_count(cache->group[l]->pages);
    return pages * cache->page_bytes;
}

/* --- memory --- */

static void copy_all(Device *device, DeviceBuffer *from, DeviceBuffer *to) {
    size_t bytes = device_buffer_size(from);
    device_note(device, "larger cache", "pages that are in use come along");
    for (size_t begin = 0; begin < bytes; begin += COPY_MOST) {
        size_t part = bytes - begin < COPY_MOST ? bytes - begin : COPY_MOST;
        uint32_t words = (uint32_t)(part / sizeof(uint32_t));
        dispatch(device, "copy_pages", grid_threads(words, 1, 1), arg_part(from, begin, part),
                 arg_part(to, begin, part), arg_u32(words));
    }
    device_wait(device, device_submit(device));
}

/* Keys, or values, of a layer. */
static void move(KvCache *cache, DeviceBuffer **buffer, uint32_t count, bool in_use) {
    DeviceBuffer *larger = device_buffer_new(cache->device, count * cache->page_bytes);
    if (!larger) return;
    if (*buffer && in_use) copy_all(cache->device, *buffer, larger);
    device_buffer_free(*buffer);
    *buffer = larger;
}

/* To twice as many pages, or as many more as are wanted, but not to more than all rows can have. */
static bool grow(KvCache *cache, PageGroup *group, uint32_t wanted, LLMError *error) {
    uint32_t count = pages_count(group->pages), unused = pages_unused(group->pages);
    uint32_t least = count + wanted - unused, larger = least > 2 * count ? least : 2 * count;
    larger = (larger + PAGES_AT_ONCE - 1) / PAGES_AT_ONCE * PAGES_AT_ONCE;
    if (larger > cache->rows * cache->row_pages) larger = cache->rows * cache->row_pages;
    device_wait(cache->device, device_submit(cache->device));
    for (uint32_t l = 0; l < cache->layers; l++) {
        if (cache->group[l] != group) continue;
        move(cache, &cache->keys[l], larger, unused < count);
        move(cache, &cache->values[l], larger, unused < count);
    }
    cache->moves++;
    return !device_failed(cache->device, error) && pages_grow(group->pages, larger, error);
}

/* A shared page becomes a row's own. */
static void copy_page(KvCache *cache, const PageGroup *group, PageCopy copy) {
    uint32_t words = (uint32_t)(cache->page_bytes / sizeof(uint32_t));
    device_note(cache->device, "page of its own", "others have it, too, and it is to be written");
    for (uint32_t l = 0; l < cache->layers; l++)
        for (uint32_t i = 0; i < 2 && cache->group[l] == group; i++)
            dispatch(cache->device, "copy_page", grid_threads(words, 1, 1),
                     arg_buffer(i ? cache->values[l] : cache->keys[l], 0), arg_u32(copy.from),
                     arg_u32(copy.to), arg_u32(words));
}

/* --- rows --- */

/* Behind the window of the token that comes next. */
static void let_go(const KvCache *cache, PageGroup *group, uint32_t rows, const uint32_t *tokens) {
    for (uint32_t b = 0; b < cache->rows; b++) {
        uint32_t has = b < rows ? tokens[b] : 0;
        pages_truncate(group->pages, b, has);
        if (group->window && has >= group->window)
            pages_forget(group->pages, b, has + 1 - group->window);
    }
}

static bool reserve(KvCache *cache, PageGroup *group, uint32_t rows, const uint32_t *tokens,
                    const uint32_t *ends, LLMError *error) {
    uint32_t wanted = 0;
    if (!group->pages) return true;
    let_go(cache, group, rows, tokens);
    for (uint32_t b = 0; b < rows; b++)
        wanted += pages_wanted(group->pages, b, tokens[b], ends[b]);
    if (wanted == 0) return true;
    if (wanted > pages_unused(group->pages) && !grow(cache, group, wanted, error)) return false;
    for (uint32_t b = 0; b < rows; b++) {
        PageCopy copy = pages_reserve(group->pages, b, tokens[b], ends[b]);
        if (copy.from != copy.to) copy_page(cache, group, copy);
    }
    device_write(group->table, 0, pages_table(group->pages), device_buffer_size(group->table));
    return !device_failed(cache->device, error);
}

bool kv_cache_reserve(KvCache *cache, uint32_t rows, const uint32_t *tokens, const uint32_t *ends,
                      LLMError *error) {
    return reserve(cache, &cache->global, rows, tokens, ends, error) &&
           reserve(cache, &cache->windowed, rows, tokens, ends, error);
}

void kv_cache_fork(KvCache *cache, uint32_t from, uint32_t to, uint32_t tokens) {
    if (cache->global.pages) pages_fork(cache->global.pages, from, to, tokens);
    if (cache->windowed.pages) pages_fork(cache->windowed.pages, from, to, tokens);
}
