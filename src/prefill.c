#include "prefill.h"

#include <stdlib.h>

/* Tokens of a row that are in the cache after `pieces_left` more pieces are still to come. All rows
 * end in the last piece, so shorter ones begin in a later one. */
static size_t row_end(size_t count, size_t pieces_left, uint32_t T) {
    size_t rest = pieces_left * T;
    return count > rest ? count - rest : 0;
}

/* The piece's ids and counts of every row; true if any row has a token in it. */
static void write_piece(LLMPipeline *llm, const LLMTokens *tokens, uint32_t rows, uint32_t T,
                        size_t pieces_left, uint32_t *ids, uint32_t *counts) {
    for (uint32_t b = 0; b < rows; b++) {
        size_t begin = row_end(tokens[b].count, pieces_left + 1, T);
        size_t end = row_end(tokens[b].count, pieces_left, T);
        counts[b] = (uint32_t)(end - begin);
        for (uint32_t t = 0; t < T; t++)
            ids[(size_t)b * T + t] = t < counts[b] ? tokens[b].ids[begin + t] : 0;
    }
    device_write(llm->run.buffers.prompt, 0, ids, (size_t)rows * T * sizeof *ids);
    device_write(llm->run.buffers.counts, 0, counts, rows * sizeof *counts);
}

static size_t longest(const LLMTokens *tokens, uint32_t rows) {
    size_t most = 0;
    for (uint32_t b = 0; b < rows; b++)
        if (tokens[b].count > most) most = tokens[b].count;
    return most;
}

/* Move `lengths` on by `counts` without sampling. */
static void advance_lengths(LLMPipeline *llm, uint32_t *lengths, const uint32_t *counts,
                            uint32_t rows) {
    for (uint32_t b = 0; b < rows; b++)
        lengths[b] += counts[b];
    device_write(llm->run.buffers.lengths, 0, lengths, rows * sizeof *lengths);
}

/* Room in the KV cache for a piece, and for `more` tokens behind it. */
static bool reserve_piece(LLMPipeline *llm, const uint32_t *lengths, const uint32_t *counts,
                          uint32_t rows, size_t more, uint32_t *ends, LLMError *error) {
    for (uint32_t b = 0; b < rows; b++)
        ends[b] = prefill_at_most(lengths[b] + counts[b] + more, llm->run.sizes.capacity);
    return kv_cache_reserve(&llm->run.cache, rows, lengths, ends, error);
}

/* Run all prompts through the model, in pieces of equal length, behind `known` tokens of each row
 * that are in the cache, and with room for `more` tokens behind them. With `each`, all of a piece's
 * rows are made and it is called behind each piece; without, only the last tokens' rows of the last
 * piece. The last piece's `lengths` and `counts` stay as the step kernels expect them: advance_step
 * adds the one to the other. */
static bool prefill(LLMPipeline *llm, const LLMTokens *tokens, uint32_t rows, size_t known,
                    size_t more, PieceCallback *each, void *context, LLMError *error) {
    size_t most = longest(tokens, rows),
           pieces = (most + llm->run.sizes.tokens - 1) / llm->run.sizes.tokens;
    uint32_t T = (uint32_t)((most + pieces - 1) / pieces);
    uint32_t *ids = calloc((size_t)rows * T + 3 * (size_t)rows, sizeof *ids);
    if (!ids) return error_memory(error, (size_t)rows * T * sizeof *ids);
    uint32_t *counts = ids + (size_t)rows * T, *lengths = counts + rows, *ends = lengths + rows;
    for (uint32_t b = 0; b < rows; b++)
        lengths[b] = (uint32_t)known;
    device_write(llm->run.buffers.lengths, 0, lengths, rows * sizeof *lengths);
    bool going = true;
    for (size_t left = pieces; going && left-- > 0;) {
        write_piece(llm, tokens, rows, T, left, ids, counts);
        going = reserve_piece(llm, lengths, counts, rows, left ? 0 : more, ends, error);
        if (!going) break;
        llm->run.visible = (uint32_t)(known + row_end(most, left, T));
        Wanted last = left ? WANTED_CACHE : WANTED_NEXT;
        pipeline_forward(llm, llm->run.buffers.prompt, rows, T, each ? WANTED_ALL : last);
        if (each) going = each(context, counts[0]);
        if (left) advance_lengths(llm, lengths, counts, rows);
    }
    free(ids);
    return going && !device_failed(llm->device, error);
}

bool prefill_text(LLMPipeline *llm, const LLMTokens *text, PieceCallback *each, void *context,
                  LLMError *error) {
    return prefill(llm, text, 1, 0, 0, each, context, error);
}

/* Tokens that all rows begin with; each has at least one behind them. */
static size_t alike(const LLMTokens *tokens, uint32_t rows) {
    size_t known = tokens->count - 1;
    for (uint32_t b = 1; b < rows; b++) {
        if (tokens[b].count <= known) known = tokens[b].count - 1;
        for (size_t i = 0; i < known; i++)
            if (tokens[b].ids[i] != tokens->ids[i]) known = i;
    }
    return known;
}

bool prefill_rows(LLMPipeline *llm, const LLMTokens *tokens, uint32_t rows, size_t more,
                  LLMError *error) {
    size_t known = rows > 1 ? alike(tokens, rows) : 0;
    if (known < PAGE_TOKENS) return prefill(llm, tokens, rows, 0, more, NULL, NULL, error);
    LLMTokens *rest = calloc(rows, sizeof *rest);
    if (!rest) return error_memory(error, rows * sizeof *rest);
    for (uint32_t b = 0; b < rows; b++)
        rest[b] = (LLMTokens){.ids = tokens[b].ids + known, .count = tokens[b].count - known};
    LLMTokens beginning = {.ids = tokens->ids, .count = known};
    bool going = prefill(llm, &beginning, 1, 0, 0, NULL, NULL, error);
    for (uint32_t b = 1; b < rows; b++)
        kv_cache_fork(&llm->run.cache, 0, b, (uint32_t)known);
    going = going && prefill(llm, rest, rows, known, more, NULL, NULL, error);
    free(rest);
    return going;
}
