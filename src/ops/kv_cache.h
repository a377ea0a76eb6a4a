/* kv_cache.h — the keys and values of all layers, in pages that rows get as they grow. Layers that
 * see all tokens share one table of pages, those that see a window another: they let go of what is
 * after it.
 *
 * What a row has computed can stay when the row is released: beginnings.h keeps it, as long as
 * nobody else wants its pages.
 */
#ifndef METAL_LLM_KV_CACHE_H
#define METAL_LLM_KV_CACHE_H

#include "device/device.h"
#include "pages.h"

typedef struct KvShape {
    uint32_t rows, capacity; /* B, and the tokens of a row, both at most */
    uint32_t layers, kv_heads, head_size;
    size_t number;        /* bytes of each */
    uint32_t window;      /* tokens that a windowed layer sees */
    const bool *windowed; /* [layers] */
    size_t most;          /* bytes of all pages, 0: as many as all rows can have */
    uint32_t step;        /* tokens that a row gets room for at a time, at most */
} KvShape;

/* Layers that keep the same tokens. */
typedef struct PageGroup {
    Pages *pages;        /* NULL: there is no such layer */
    DeviceBuffer *table; /* [rows, ⌈capacity / 32⌉] */
    uint32_t window;     /* 0: they see all tokens */
    uint32_t most;       /* pages */
    bool forked;         /* since the table was written */
} PageGroup;

/* The texts whose pages stay for those that begin alike. */
enum { BEGINNINGS = 64 };

/* Its list of pages is the one after those of the rows. */
typedef struct Beginning {
    uint32_t *ids; /* [count], NULL: there is none */
    uint32_t count;
    uint64_t used; /* when, by KvCache.clock */
} Beginning;

typedef struct KvCache {
    Device *device;
    uint32_t rows, row_pages, layers;
    size_t page_bytes;             /* of a layer's keys, or of its values */
    PageGroup global, windowed;    /* groups of layers */
    PageGroup **group;             /* [layers] each one's */
    DeviceBuffer **keys, **values; /* [layers] each [page,nkv,32,hs], NULL before the first page */
    uint32_t moves; /* of keys and values: a step that was recorded before one is void */
    uint32_t step;
    Beginning beginnings[BEGINNINGS];
    uint64_t clock; /* ticks when a beginning is used */
} KvCache;

/* Without memory for pages as yet. False and `error` on failure, after which kv_cache_close is
 * still due. */
bool kv_cache_open(KvCache *cache, Device *device, const KvShape *shape, LLMError *error);
void kv_cache_close(KvCache *cache);

/* Rows first … first + rows − 1 have `tokens` tokens and get room up to `ends`, at the end of what
 * is queued. Beginnings that have not been used for the longest make room if there is none. */
bool kv_cache_reserve(KvCache *cache, uint32_t first, uint32_t rows, const uint32_t *tokens,
                      const uint32_t *ends, LLMError *error);
/* The row has no tokens any more. */
void kv_cache_release(KvCache *cache, uint32_t row);
/* Row `to` begins with the first `tokens` tokens of row `from`, in the same pages. */
void kv_cache_fork(KvCache *cache, uint32_t from, uint32_t to, uint32_t tokens);

/* Pages of both groups that a row takes which grows to `end` tokens. */
typedef struct PageNeed {
    uint32_t global, windowed;
} PageNeed;
PageNeed kv_cache_need(const KvCache *cache, uint32_t end);
/* Whether there are as many, beginnings left aside. */
bool kv_cache_holds(const KvCache *cache, PageNeed need);

/* Device memory of pages: now, and when all rows are full. */
size_t kv_cache_bytes(const KvCache *cache);
size_t kv_cache_full_bytes(const KvShape *shape);

#endif
