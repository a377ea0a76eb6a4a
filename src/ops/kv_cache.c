#include "beginnings.h"

#include <stdlib.h>

/* Memory is taken for so many pages at a time, at least: 256 tokens. */
enum { PAGES_AT_ONCE = 8 };
/* A copy's words are counted in 32 bits. */
#define COPY_MOST ((size_t)1 << 32)

/* --- open and close --- */

static bool open_group(KvCache *cache, PageGroup *group, LLMError *error) {
    if (group->pages) return true;
    size_t entries = (size_t)cache->rows * cache->row_pages;
    group->pages = pages_new(cache->rows + BEGINNINGS, cache->row_pages, error);
    group->table = device_buffer_new(cache->device, entries * sizeof(uint32_t));
    return group->pages && !device_failed(cache->device, error);
}

static size_t group_bytes(const KvCache *cache, const PageGroup *group, size_t pages) {
    size_t layers = 0;
    for (uint32_t l = 0; l < cache->layers; l++)
        layers += cache->group[l] == group;
    return 2 * layers * cache->page_bytes * pages;
}

/* When both groups have all the pages that all rows can have. */
static size_t most_bytes(const KvCache *cache) {
    size_t all = (size_t)cache->rows * cache->row_pages;
    return group_bytes(cache, &cache->global, all) + group_bytes(cache, &cache->windowed, all);
}

/* Windows come first: they are short, and a row without one cannot go on. */
static bool limit_groups(KvCache *cache, size_t most, LLMError *error) {
    size_t all = (size_t)cache->rows * cache->row_pages;
    PageNeed need = kv_cache_need(cache, cache->row_pages * PAGE_TOKENS);
    cache->global.most = cache->windowed.most = (uint32_t)all;
    if (most == 0 || most >= most_bytes(cache)) return true;
    size_t windows = (size_t)cache->rows * need.windowed;
    size_t taken = group_bytes(cache, &cache->windowed, windows);
    size_t page = group_bytes(cache, &cache->global, 1);
    size_t pages = most > taken && page ? (most - taken) / page : 0;
    cache->windowed.most = (uint32_t)windows;
    if (pages < all) cache->global.most = (uint32_t)pages;
    if (most >= taken && (pages || !page)) return true;
    return error_set(error, LLM_ERROR_ARGUMENT,
                     "a cache memory of %zu bytes is too little for this model, which needs at "
                     "least %zu for %u rows",
                     most, taken + page, cache->rows);
}

bool kv_cache_open(KvCache *cache, Device *device, const KvShape *shape, LLMError *error) {
    size_t layers = shape->layers, token = (size_t)shape->kv_heads * shape->head_size;
    *cache = (KvCache){.device = device,
                       .rows = shape->rows,
                       .row_pages = pages_for(shape->capacity),
                       .layers = shape->layers,
                       .step = shape->step,
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
    return limit_groups(cache, shape->most, error);
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
    beginnings_free(cache);
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

/* To twice as many pages, or as many more as are wanted, but to no more than there may be. */
static bool grow(KvCache *cache, PageGroup *group, uint32_t wanted, LLMError *error) {
    uint32_t count = pages_count(group->pages), unused = pages_unused(group->pages);
    uint32_t least = count + wanted - unused, larger = least > 2 * count ? least : 2 * count;
    larger = (larger + PAGES_AT_ONCE - 1) / PAGES_AT_ONCE * PAGES_AT_ONCE;
    if (larger > group->most) larger = group->most;
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

/* Some of the rows. */
typedef struct Span {
    uint32_t first, rows;
    const uint32_t *tokens, *ends; /* [rows] */
} Span;

/* Left by the window of the token that comes next. */
static void let_go(PageGroup *group, const Span *span) {
    for (uint32_t i = 0; i < span->rows; i++) {
        uint32_t row = span->first + i, has = span->tokens[i];
        pages_truncate(group->pages, row, has);
        if (group->window && has >= group->window)
            pages_forget(group->pages, row, has + 1 - group->window);
    }
}

static uint32_t wanted_pages(const PageGroup *group, const Span *span) {
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < span->rows; i++)
        wanted += pages_wanted(group->pages, span->first + i, span->tokens[i], span->ends[i]);
    return wanted;
}

/* As many unused pages as are wanted: of a larger pool, then of beginnings. */
static bool make_room(KvCache *cache, PageGroup *group, const Span *span, LLMError *error) {
    uint32_t wanted = wanted_pages(group, span);
    while (wanted > pages_unused(group->pages) + group->most - pages_count(group->pages)) {
        if (!beginnings_drop(cache))
            return error_set(error, LLM_ERROR_MEMORY,
                             "the memory for keys and values is full: %u pages of %d tokens",
                             group->most, PAGE_TOKENS);
        wanted = wanted_pages(group, span); /* what nobody shares any more is not copied */
    }
    return wanted <= pages_unused(group->pages) || grow(cache, group, wanted, error);
}

static bool reserve(KvCache *cache, PageGroup *group, const Span *span, LLMError *error) {
    if (!group->pages) return true;
    let_go(group, span);
    if (wanted_pages(group, span) == 0 && !group->forked) return true;
    if (!make_room(cache, group, span, error)) return false;
    for (uint32_t i = 0; i < span->rows; i++) {
        PageCopy copy =
            pages_reserve(group->pages, span->first + i, span->tokens[i], span->ends[i]);
        if (copy.from != copy.to) copy_page(cache, group, copy);
    }
    group->forked = false;
    device_write(group->table, 0, pages_table(group->pages), device_buffer_size(group->table));
    return !device_failed(cache->device, error);
}

bool kv_cache_reserve(KvCache *cache, uint32_t first, uint32_t rows, const uint32_t *tokens,
                      const uint32_t *ends, LLMError *error) {
    Span span = {first, rows, tokens, ends};
    return reserve(cache, &cache->global, &span, error) &&
           reserve(cache, &cache->windowed, &span, error);
}

void kv_cache_release(KvCache *cache, uint32_t row) {
    if (cache->global.pages) pages_truncate(cache->global.pages, row, 0);
    if (cache->windowed.pages) pages_truncate(cache->windowed.pages, row, 0);
}

PageNeed kv_cache_need(const KvCache *cache, uint32_t end) {
    uint32_t all = pages_for(end), window = cache->windowed.window;
    uint32_t near = pages_for(window < end ? window : end) + pages_for(cache->step) + 1;
    return (PageNeed){cache->global.pages ? all : 0,
                      cache->windowed.pages ? near < all ? near : all : 0};
}

bool kv_cache_holds(const KvCache *cache, PageNeed need) {
    return need.global <= cache->global.most && need.windowed <= cache->windowed.most;
}

static void fork_group(PageGroup *group, uint32_t from, uint32_t to, uint32_t tokens) {
    if (!group->pages) return;
    pages_fork(group->pages, from, to, tokens);
    group->forked = true;
}

void kv_cache_fork(KvCache *cache, uint32_t from, uint32_t to, uint32_t tokens) {
    fork_group(&cache->global, from, to, tokens);
    fork_group(&cache->windowed, from, to, tokens);
}
