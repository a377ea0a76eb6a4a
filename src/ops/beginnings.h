/* beginnings.h — what rows have computed and left in the KV cache, for those that begin alike.
 *
 * A beginning is a text and its pages, counted as those of a row are. Where layers see a window it
 * serves a text that goes on from its end, or not far before it: from the last point whose window
 * the pages still hold.
 */
#ifndef METAL_LLM_BEGINNINGS_H
#define METAL_LLM_BEGINNINGS_H

#include "kv_cache.h"

/* Keep the row's first `count` tokens, ids[count], whose keys and values it has. Without windows
 * this takes the place of the texts that it goes on from. Nothing is kept if memory is out. */
void beginnings_keep(KvCache *cache, uint32_t row, const uint32_t *ids, uint32_t count);
/* A row that has nothing gets the longest beginning of ids[count] that there is: so many tokens of
 * it need not be computed. */
uint32_t beginnings_take(KvCache *cache, uint32_t row, const uint32_t *ids, uint32_t count);
/* Let go of the one that has not been used for the longest; false if there is none. */
bool beginnings_drop(KvCache *cache);
void beginnings_free(KvCache *cache);

#endif
