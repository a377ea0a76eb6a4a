#include "beginnings.h"

#include <stdlib.h>
#include <string.h>

/* Its list of pages, after those of the rows. */
static uint32_t list_of(const KvCache *cache, const Beginning *beginning) {
    return cache->rows + (uint32_t)(beginning - cache->beginnings);
}

static void drop(KvCache *cache, Beginning *beginning) {
    if (!beginning->ids) return;
    kv_cache_release(cache, list_of(cache, beginning));
    free(beginning->ids);
    *beginning = (Beginning){0};
}

static uint32_t alike(const Beginning *beginning, const uint32_t *ids, uint32_t count) {
    uint32_t n = 0, most = beginning->count < count ? beginning->count : count;
    while (n < most && beginning->ids[n] == ids[n])
        n++;
    return n;
}

/* Whether the pages have all that the token after the first `count` sees. */
static bool holds(const KvCache *cache, const Beginning *beginning, uint32_t count) {
    const PageGroup *group = &cache->windowed;
    if (!group->pages) return true;
    uint32_t first = pages_first(group->pages, list_of(cache, beginning));
    return first == 0 || first + group->window <= count + 1;
}

/* The unused one, or the one whose last use is longest ago. */
static Beginning *oldest(KvCache *cache) {
    Beginning *found = cache->beginnings;
    for (uint32_t i = 1; i < BEGINNINGS; i++)
        if (cache->beginnings[i].used < found->used) found = &cache->beginnings[i];
    return found;
}

/* What is as good as the text: it, or without windows what goes on from it. */
static Beginning *find_at_least(KvCache *cache, const uint32_t *ids, uint32_t count) {
    for (uint32_t i = 0; i < BEGINNINGS; i++) {
        Beginning *other = &cache->beginnings[i];
        bool as_long = cache->windowed.pages ? other->count == count : other->count >= count;
        if (other->ids && as_long && alike(other, ids, count) == count) return other;
    }
    return NULL;
}

static void drop_shorter(KvCache *cache, const uint32_t *ids, uint32_t count) {
    for (uint32_t i = 0; i < BEGINNINGS && !cache->windowed.pages; i++) {
        Beginning *other = &cache->beginnings[i];
        if (other->ids && other->count <= count && alike(other, ids, count) == other->count)
            drop(cache, other);
    }
}

void beginnings_keep(KvCache *cache, uint32_t row, const uint32_t *ids, uint32_t count) {
    Beginning *same = find_at_least(cache, ids, count);
    if (same) same->used = ++cache->clock;
    if (same || count == 0) return;
    uint32_t *copy = malloc(count * sizeof *copy);
    if (!copy) return;
    memcpy(copy, ids, count * sizeof *copy);
    drop_shorter(cache, ids, count);
    Beginning *beginning = oldest(cache);
    drop(cache, beginning);
    *beginning = (Beginning){.ids = copy, .count = count, .used = ++cache->clock};
    kv_cache_fork(cache, row, list_of(cache, beginning), count);
}

uint32_t beginnings_take(KvCache *cache, uint32_t row, const uint32_t *ids, uint32_t count) {
    Beginning *best = NULL;
    uint32_t most = 0;
    for (uint32_t i = 0; i < BEGINNINGS; i++) {
        Beginning *other = &cache->beginnings[i];
        uint32_t n = other->ids ? alike(other, ids, count) : 0;
        if (n <= most || !holds(cache, other, n)) continue;
        best = other;
        most = n;
    }
    if (!best) return 0;
    best->used = ++cache->clock;
    kv_cache_fork(cache, list_of(cache, best), row, most);
    return most;
}

bool beginnings_drop(KvCache *cache) {
    Beginning *found = NULL;
    for (uint32_t i = 0; i < BEGINNINGS; i++) {
        Beginning *other = &cache->beginnings[i];
        if (other->ids && (!found || other->used < found->used)) found = other;
    }
    if (found) drop(cache, found);
    return found;
}

void beginnings_free(KvCache *cache) {
    for (uint32_t i = 0; i < BEGINNINGS; i++)
        free(cache->beginnings[i].ids);
}
