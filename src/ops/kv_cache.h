/* kv_cache.h — the keys and values of all layers, in pages that rows get as they grow. Layers that
 * see all tokens share one table of pages, those that see a window another: they let go of what is
 * behind it.
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
} KvShape;

/* Layers that keep the same tokens. */
typedef struct PageGroup {
    Pages *pages;        /* NULL: there is no such layer */
    DeviceBuffer *table; /* [rows, ⌈capacity / 32⌉] */
    uint32_t window;     /* 0: they see all tokens */
} PageGroup;

typedef struct KvCache {
    Device *device;
    uint32_t rows, row_pages, layers;
    size_t page_bytes;             /* of a layer's keys, or of its values */
    PageGroup global, windowed;    /* groups of layers */
    PageGroup **group;             /* [layers] each one's */
    DeviceBuffer **keys, **values; /* [layers] each [page,nkv,32,hs], NULL before the first page */
    uint32_t moves; /* of keys and values: a step that was recorded before one is void */
} KvCache;

/* Without memory for pages as yet. False and `error` on failure, after which kv_cache_close is
 * still due. */
bool kv_cache_open(KvCache *cache, Device *device, const KvShape *shape, LLMError *error);
void kv_cache_close(KvCache *cache);

/* Rows 0 … rows − 1 have `tokens` tokens and get room up to `ends`, at the end of what is queued;
 * the other rows have none any more. */
bool kv_cache_reserve(KvCache *cache, uint32_t rows, const uint32_t *tokens, const uint32_t *ends,
                      LLMError *error);
/* Row `to` begins with the first `tokens` tokens of row `from`, in the same pages. */
void kv_cache_fork(KvCache *cache, uint32_t from, uint32_t to, uint32_t tokens);

/* Device memory of pages: now, and when all rows are full. */
size_t kv_cache_bytes(const KvCache *cache);
size_t kv_cache_full_bytes(const KvShape *shape);

#endif
