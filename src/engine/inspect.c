#include "inspect.h"

#include "engine.h"
#include "likeliest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- memory --- */

static bool predicts(const LLMInspection *wanted) {
    return wanted->logits || wanted->logprobs || wanted->log_sums || wanted->top || wanted->lens;
}

static void throw_switches(Inspection *inspection, uint32_t nh) {
    const LLMInspection *wanted = inspection->wanted;
    for (size_t i = 0; i < wanted->heads_off_count; i++)
        inspection->heads_off[(size_t)wanted->heads_off[i].layer * nh + wanted->heads_off[i].head] =
            true;
    for (size_t i = 0; i < wanted->mlps_off_count; i++)
        inspection->mlps_off[wanted->mlps_off[i]] = true;
}

static Taps taps_of(const Inspection *inspection, LLMPipeline *llm, uint32_t tokens) {
    const LLMInspection *wanted = inspection->wanted;
    const Sizes *sizes = &llm->run.sizes;
    return (Taps){.layers = sizes->layers,
                  .nh = sizes->heads,
                  .all = tokens,
                  .heads_off = inspection->heads_off,
                  .mlps_off = inspection->mlps_off,
                  .token = wanted->token < tokens ? wanted->token : tokens - 1,
                  .tokens = wanted->token_count ? wanted->token_count : 1,
                  .attention = wanted->attention,
                  .head_layer = wanted->head.layer,
                  .head = wanted->head.head,
                  .head_attention = wanted->head_attention,
                  .norm = &llm->weights.output_norm,
                  .from = wanted->lens ? 0 : sizes->layers - 1};
}

/* What the pass leaves as it is. */
static void clear_arrays(const Taps *taps) {
    size_t n = taps->all;
    size_t rows = (size_t)taps->layers * taps->nh * taps->tokens;
    if (taps->attention) memset(taps->attention, 0, rows * n * sizeof(float));
    if (taps->head_attention) memset(taps->head_attention, 0, n * n * sizeof(float));
}

bool inspection_begin(Inspection *inspection, LLMPipeline *llm, const LLMInspection *wanted,
                      uint32_t tokens, LLMError *error) {
    const Sizes *sizes = &llm->run.sizes;
    uint32_t T = tokens < INSPECT_TOKENS ? tokens : INSPECT_TOKENS;
    size_t heads = (size_t)sizes->layers * sizes->heads;
    *inspection = (Inspection){.wanted = wanted,
                               .layer = sizes->layers,
                               .heads_off = calloc(heads, sizeof(bool)),
                               .mlps_off = calloc(sizes->layers, sizeof(bool)),
                               .logits = malloc(sizes->vocabulary * sizeof(float))};
    Taps *taps = &inspection->taps;
    *taps = taps_of(inspection, llm, tokens);
    size_t row = sizes->channels * sizeof(float), layers = taps->layers - taps->from;
    taps->zeros = calloc((size_t)T * sizes->head_size, sizeof(float));
    taps->normed = predicts(wanted) ? malloc(layers * T * row) : NULL;
    if (!inspection->heads_off || !inspection->mlps_off || !inspection->logits || !taps->zeros ||
        (predicts(wanted) && !taps->normed))
        return error_memory(error, layers * T * row);
    throw_switches(inspection, sizes->heads);
    clear_arrays(taps);
    return true;
}

void inspection_free(Inspection *inspection) {
    free(inspection->heads_off);
    free(inspection->mlps_off);
    free(inspection->logits);
    free(inspection->taps.zeros);
    free(inspection->taps.normed);
}

/* Naive attention needs more than the buffers have, and less than a whole context. */
static bool take_buffers(Inspection *inspection, LLMPipeline *llm, uint32_t T, LLMError *error) {
    const Sizes *sizes = &llm->run.sizes;
    size_t tokens = inspection->taps.all, hs = sizes->head_size, heads = sizes->heads;
    size_t keys = sizes->kv_heads * tokens * hs * element_size(llm->run.setup.cache);
    inspection->keys = device_buffer_new(llm->device, keys);
    inspection->values = device_buffer_new(llm->device, keys);
    inspection->weights = device_buffer_new(llm->device, heads * T * tokens * sizeof(float));
    inspection->merged = device_buffer_new(llm->device, heads * T * hs * sizeof(float));
    return !device_failed(llm->device, error);
}

/* What is queued after the last attention that was read still writes to them. */
void inspect_release(Request *request) {
    Inspection *inspection = request->inspection;
    Device *device = request->llm->device;
    if (inspection->weights) device_wait(device, device_submit(device));
    device_buffer_free(inspection->keys);
    device_buffer_free(inspection->values);
    device_buffer_free(inspection->weights);
    device_buffer_free(inspection->merged);
    inspection->keys = inspection->values = inspection->weights = inspection->merged = NULL;
}

/* --- a piece --- */

/* The pass is plain, and its attention naive; then all is as it was. */
static bool run_piece(Request *request, LLMError *error) {
    Inspection *inspection = request->inspection;
    Run *run = &request->llm->run;
    Prefill *prefill = &request->prefill;
    Taps *taps = &inspection->taps;
    Setup setup = run->setup;
    Buffers buffers = run->buffers;
    uint32_t span = run->span;
    taps->first += taps->count;
    taps->count = taps->all - (uint32_t)(prefill->left - 1) * prefill->T - taps->first;
    taps->block = 0;
    run->setup.flash = run->setup.fused = false;
    run->setup.batch_most = 0;
    run->buffers.keys = inspection->keys;
    run->buffers.values = inspection->values;
    run->buffers.att = inspection->weights;
    run->buffers.merged = inspection->merged;
    run->span = taps->first + taps->count;
    run->taps = taps;
    bool going = prefill_piece(prefill, error);
    inspection->normed = run->normed;
    run->taps = NULL;
    run->span = span;
    run->buffers = buffers;
    run->setup = setup;
    return going;
}

/* --- predictions --- */

static bool tell(Request *request, uint32_t layer, uint32_t position, LLMError *error) {
    const Inspection *inspection = request->inspection;
    const LLMInspection *wanted = inspection->wanted;
    const float *logits = inspection->logits;
    size_t V = request->llm->info.vocabulary, n = inspection->taps.all;
    size_t m = n - wanted->first, row = position - wanted->first;
    double log_sum = logits_log_sum(logits, V);
    if (!isfinite(log_sum))
        return error_set(error, LLM_ERROR_NUMERIC,
                         "the logits are not numbers (NaN) after %u token%s in layer %u: %s",
                         position + 1, position ? "s" : "", layer,
                         pipeline_nan_reason(request->llm));
    if (wanted->lens)
        likeliest(logits, V, log_sum, wanted->lens + (layer * m + row) * wanted->lens_count,
                  wanted->lens_count);
    if (layer + 1 < inspection->taps.layers) return true;
    if (wanted->logits) memcpy(wanted->logits + row * V, logits, V * sizeof *logits);
    if (wanted->log_sums) wanted->log_sums[row] = (float)log_sum;
    if (wanted->logprobs && position + 1 < n)
        wanted->logprobs[row] = (float)(logits[request->text->ids[position + 1]] - log_sum);
    if (wanted->top)
        likeliest(logits, V, log_sum, wanted->top + row * wanted->top_count, wanted->top_count);
    return true;
}

/* From what the layer has come to, as the last one's result goes through the output. */
static bool predict(Request *request, uint32_t layer, LLMError *error) {
    const Inspection *inspection = request->inspection;
    const Taps *taps = &inspection->taps;
    LLMPipeline *llm = request->llm;
    Value normed = inspection->normed;
    size_t V = llm->info.vocabulary;
    size_t bytes = (size_t)normed.rows * normed.columns * element_size(normed.type);
    uint32_t wanted = inspection->wanted->first, end = taps->first + taps->count;
    uint32_t first = wanted > taps->first ? wanted : taps->first;
    if (first >= end) return true;
    device_write(normed.buffer, 0, taps->normed + (layer - taps->from) * bytes, bytes);
    llm->run.normed = normed;
    pipeline_logits(llm, first - taps->first, end - first);
    for (uint32_t position = first; position < end; position++) {
        device_read(llm->run.buffers.logits, (position - first) * V * sizeof(float),
                    inspection->logits, V * sizeof(float));
        if (device_failed(llm->device, error) || !tell(request, layer, position, error))
            return false;
    }
    return true;
}

/* --- for the engine --- */

bool inspect_some(Request *request, LLMError *error) {
    Inspection *inspection = request->inspection;
    const Taps *taps = &inspection->taps;
    if (inspection->layer < taps->layers) return predict(request, inspection->layer++, error);
    if (!inspection->weights && !take_buffers(inspection, request->llm, request->prefill.T, error))
        return false;
    if (!run_piece(request, error)) return false;
    if (taps->normed) inspection->layer = taps->from;
    return true;
}

bool inspect_done(const Request *request) {
    return prefill_done(&request->prefill) &&
           request->inspection->layer == request->inspection->taps.layers;
}
