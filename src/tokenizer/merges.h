/* merges.h — which two tokens join to a third, and in what order. */
#ifndef METAL_LLM_MERGES_H
#define METAL_LLM_MERGES_H

#include "keyed_hash.h"
#include "vocabulary.h"

/* `left` followed by `right` becomes `result`; of all merges that a piece allows, the one with the
 * lowest rank comes first. */
typedef struct Merge {
    uint32_t left, right, result, rank;
} Merge;

/* Zero-initialise; release with merges_free. */
typedef struct Merges {
    Merge *slots; /* hash table from (left, right), at most half full, rank NO_TOKEN where free */
    size_t slot_mask;
    HashKey key;
    uint32_t count;
} Merges;

void merges_free(Merges *merges);
/* Add a merge with the next rank. A pair that is there already is an error. */
bool merges_add(Merges *merges, uint32_t left, uint32_t right, uint32_t result, LLMError *error);
/* NULL if the pair does not merge. */
const Merge *merges_find(const Merges *merges, uint32_t left, uint32_t right);
/* pairs[count]: the two ids that each merge joins, by rank. */
void merges_list(const Merges *merges, uint32_t (*pairs)[2]);

#endif
