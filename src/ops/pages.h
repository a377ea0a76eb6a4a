/* pages.h — which pages of a KV cache have a row's tokens. Pages are counted, so that rows which
 * begin alike share them; one that is shared is copied before it is written. All of this is the
 * host's bookkeeping: the pages themselves lie on the device, see kv_cache.h.
 */
#ifndef METAL_LLM_PAGES_H
#define METAL_LLM_PAGES_H

#include "error.h"
#include "kernel_constants.h"

#include <stddef.h>

enum { PAGE_TOKENS = PAGES_PAGE };

/* How many pages have room for so many tokens. */
static inline uint32_t pages_for(uint32_t tokens) {
    return tokens / PAGE_TOKENS + (tokens % PAGE_TOKENS != 0);
}

/* A pool of pages, and `rows` lists of at most `row_pages` of them. */
typedef struct Pages Pages;

/* What must be copied before a row is written; nothing if both are the same. */
typedef struct PageCopy {
    uint32_t from, to;
} PageCopy;

/* Without a page as yet. NULL and `error` on failure. */
Pages *pages_new(uint32_t rows, uint32_t row_pages, LLMError *error);
void pages_free(Pages *pages); /* NULL is fine */

/* From now on there are `count` pages: no fewer than before. */
bool pages_grow(Pages *pages, uint32_t count, LLMError *error);
uint32_t pages_count(const Pages *pages);
/* Pages that no row has. */
uint32_t pages_unused(const Pages *pages);

/* The row keeps its first `tokens` tokens, and lets go of what was after them. */
void pages_truncate(Pages *pages, uint32_t row, uint32_t tokens);
/* Nobody looks at the row's first `tokens` tokens any more. */
void pages_forget(Pages *pages, uint32_t row, uint32_t tokens);
/* Row `to`, whatever it had, begins with the first `tokens` tokens of row `from`. */
void pages_fork(Pages *pages, uint32_t from, uint32_t to, uint32_t tokens);

/* The first token whose page the row still has. */
uint32_t pages_first(const Pages *pages, uint32_t row);

/* How many unused pages pages_reserve takes. */
uint32_t pages_wanted(const Pages *pages, uint32_t row, uint32_t tokens, uint32_t end);
/* The row has `tokens` tokens, and gets room for more of them, up to `end`: pages of its own. There
 * are as many unused ones as it wants. */
PageCopy pages_reserve(Pages *pages, uint32_t row, uint32_t tokens, uint32_t end);

/* [rows, row_pages]: the page of tokens 32 i … 32 i + 31 of each row, as kernels look them up; 0
 * where the row has none. Valid until the next call. */
const uint32_t *pages_table(const Pages *pages);

#endif
