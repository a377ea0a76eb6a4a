#include "merges.h"

#include <stdlib.h>
#include <string.h>

void merges_free(Merges *merges) {
    free(merges->slots);
    *merges = (Merges){0};
}

/* Where in the hash table the merge of this pair is, or would go (linear probing). */
static Merge *find_slot(const Merges *merges, uint32_t left, uint32_t right) {
    for (size_t i = (size_t)hash_pair(merges->key, left, right);; i++) {
        Merge *slot = &merges->slots[i & merges->slot_mask];
        if (slot->rank == NO_TOKEN || (slot->left == left && slot->right == right)) return slot;
    }
}

/* Keep the hash table at most half full. */
static bool reserve(Merges *merges, LLMError *error) {
    size_t old_size = merges->slots ? merges->slot_mask + 1 : 0;
    if (2 * (size_t)merges->count < old_size) return true;
    if (old_size == 0) merges->key = hash_key_new(merges);
    size_t size = old_size ? 2 * old_size : 1 << 10;
    Merge *old = merges->slots, *slots = malloc(size * sizeof *slots);
    if (!slots) return error_memory(error, size * sizeof *slots);
    memset(slots, 0xFF, size * sizeof *slots);
    merges->slots = slots;
    merges->slot_mask = size - 1;
    for (size_t i = 0; i < old_size; i++)
        if (old[i].rank != NO_TOKEN) *find_slot(merges, old[i].left, old[i].right) = old[i];
    free(old);
    return true;
}

bool merges_add(Merges *merges, uint32_t left, uint32_t right, uint32_t result, LLMError *error) {
    if (!reserve(merges, error)) return false;
    Merge *slot = find_slot(merges, left, right);
    if (slot->rank != NO_TOKEN)
        return error_set(error, LLM_ERROR_FORMAT, "merges %u and %u join the same two tokens",
                         slot->rank + 1, merges->count + 1);
    *slot = (Merge){left, right, result, merges->count++};
    return true;
}

const Merge *merges_find(const Merges *merges, uint32_t left, uint32_t right) {
    if (merges->count == 0) return NULL;
    const Merge *merge = find_slot(merges, left, right);
    return merge->rank == NO_TOKEN ? NULL : merge;
}

void merges_list(const Merges *merges, uint32_t (*pairs)[2]) {
    if (merges->count == 0) return;
    for (size_t i = 0; i <= merges->slot_mask; i++) {
        const Merge *merge = &merges->slots[i];
        if (merge->rank == NO_TOKEN) continue;
        pairs[merge->rank][0] = merge->left;
        pairs[merge->rank][1] = merge->right;
    }
}
