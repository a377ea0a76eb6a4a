#include "prefill.h"

#include <stdlib.h>

/* A prompt is taken in one part, or in two: what all rows have in common, by the first of them, and
 * the rest. */
static uint32_t rows_of_part(const Prefill *prefill) {
    return prefill->alike ? 1 : prefill->rows;
}

static size_t end_of_part(const Prefill *prefill, uint32_t b) {
    return prefill->alike ? prefill->alike : prefill->texts[b].count;
}

/* Tokens of a row that are in the cache after `pieces_left` more pieces are still to come. All rows
 * end in the last piece, so shorter ones begin in a later one. */
static size_t row_end(const Prefill *prefill, size_t end, size_t pieces_left) {
    size_t count = end - prefill->known, rest = pieces_left * prefill->T;
    return prefill->known + (count > rest ? count - rest : 0);
}

static size_t longest(const Prefill *prefill) {
    size_t most = 0;
    for (uint32_t b = 0; b < rows_of_part(prefill); b++)
        if (end_of_part(prefill, b) > most) most = end_of_part(prefill, b);
    return most;
}

/* As many tokens as there is room for when fewer rows than possible share a pass. */
static bool begin_part(Prefill *prefill, LLMError *error) {
    const Sizes *sizes = &prefill->llm->run.sizes;
    uint32_t rows = rows_of_part(prefill);
    size_t most = longest(prefill) - prefill->known;
    size_t room = (size_t)sizes->tokens * sizes->batch / rows;
    if (prefill->most && prefill->most < room) room = prefill->most;
    prefill->left = (most + room - 1) / room;
    prefill->T = (uint32_t)((most + prefill->left - 1) / prefill->left);
    free(prefill->ids);
    prefill->ids = calloc((size_t)rows * prefill->T + 3 * (size_t)rows, sizeof *prefill->ids);
    return prefill->ids || error_memory(error, (size_t)rows * prefill->T * sizeof *prefill->ids);
}

bool prefill_begin(Prefill *prefill, LLMError *error) {
    size_t alike = prefill->rows > 1 ? prefill_alike(prefill->texts, prefill->rows) : 0;
    if (alike >= prefill->known + PAGE_TOKENS) prefill->alike = alike;
    return begin_part(prefill, error);
}

size_t prefill_alike(const LLMTokens *texts, uint32_t rows) {
    size_t known = texts->count - 1;
    for (uint32_t b = 1; b < rows; b++) {
        if (texts[b].count <= known) known = texts[b].count - 1;
        for (size_t i = 0; i < known; i++)
            if (texts[b].ids[i] != texts->ids[i]) known = i;
    }
    return known;
}

/* --- a piece --- */

/* The piece's ids, counts and lengths of every row. */
static void write_piece(Prefill *prefill, uint32_t *counts, uint32_t *lengths) {
    const Buffers *buffers = &prefill->llm->run.buffers;
    uint32_t rows = rows_of_part(prefill), T = prefill->T, *ids = prefill->ids;
    size_t at = prefill->first * sizeof(uint32_t);
    for (uint32_t b = 0; b < rows; b++) {
        size_t end = end_of_part(prefill, b);
        lengths[b] = (uint32_t)row_end(prefill, end, prefill->left);
        counts[b] = (uint32_t)row_end(prefill, end, prefill->left - 1) - lengths[b];
        for (uint32_t t = 0; t < T; t++)
            ids[(size_t)b * T + t] = t < counts[b] ? prefill->texts[b].ids[lengths[b] + t] : 0;
        prefill->computed += counts[b];
    }
    device_write(buffers->prompt, 0, ids, (size_t)rows * T * sizeof *ids);
    device_write(buffers->lengths, at, lengths, rows * sizeof *lengths);
    device_write(buffers->counts, at, counts, rows * sizeof *counts);
}

/* Room in the KV cache for the piece, and for `more` tokens after it. */
static bool reserve_piece(const Prefill *prefill, const uint32_t *lengths, const uint32_t *counts,
                          uint32_t *ends, size_t more, LLMError *error) {
    Run *run = &prefill->llm->run;
    uint32_t rows = rows_of_part(prefill);
    for (uint32_t b = 0; b < rows; b++)
        ends[b] = prefill_at_most(lengths[b] + counts[b] + more, run->sizes.capacity);
    return kv_cache_reserve(&run->cache, prefill->first, rows, lengths, ends, error);
}

/* The first row has what all begin with: the others share it, and go on from there. */
static bool begin_rest(Prefill *prefill, LLMError *error) {
    KvCache *cache = &prefill->llm->run.cache;
    for (uint32_t b = 1; b < prefill->rows; b++)
        kv_cache_fork(cache, prefill->first, prefill->first + b, (uint32_t)prefill->alike);
    prefill->known = prefill->alike;
    prefill->alike = 0;
    return begin_part(prefill, error);
}

static Wanted wanted_of(const Prefill *prefill) {
    if (prefill->all) return WANTED_ALL;
    return prefill_done(prefill) ? WANTED_NEXT : WANTED_CACHE;
}

bool prefill_piece(Prefill *prefill, LLMError *error) {
    LLMPipeline *llm = prefill->llm;
    uint32_t rows = rows_of_part(prefill), *counts = prefill->ids + (size_t)rows * prefill->T;
    uint32_t *lengths = counts + rows, *ends = lengths + rows;
    write_piece(prefill, counts, lengths);
    prefill->last = counts[0];
    prefill->left--;
    size_t more = prefill_done(prefill) ? prefill->more : 0;
    if (!reserve_piece(prefill, lengths, counts, ends, more, error)) return false;
    llm->run.first = prefill->first;
    llm->run.visible = (uint32_t)row_end(prefill, longest(prefill), prefill->left);
    pipeline_forward(llm, llm->run.buffers.prompt, rows, prefill->T, wanted_of(prefill));
    if (device_failed(llm->device, error)) return false;
    return prefill->left || !prefill->alike || begin_rest(prefill, error);
}

void prefill_free(Prefill *prefill) {
    free(prefill->ids);
    prefill->ids = NULL;
}
