/* score.c — logits, losses and hidden states of a whole text. */
#include "state.h"

#include <math.h>

static void read_losses(Request *request, uint32_t count) {
    LLMPipeline *llm = request->llm;
    const LLMTokens *text = request->text;
    if (request->scored + count == text->count) count--; /* nothing follows the last */
    if (!count) return;
    device_write(llm->run.buffers.targets, 0, text->ids + request->scored + 1,
                 count * sizeof(uint32_t));
    losses(&llm->run, count);
    device_read(llm->run.buffers.nats, 0, request->nats + request->scored, count * sizeof(float));
}

static bool check_losses(const Request *request, uint32_t count, LLMError *error) {
    for (size_t i = request->scored; i < request->scored + count; i++)
        if (i + 1 < request->text->count && !isfinite(request->nats[i]))
            return error_set(error, LLM_ERROR_NUMERIC,
                             "the loss after %zu token%s is not a number: %s", i + 1, i ? "s" : "",
                             pipeline_nan_reason(request->llm));
    return true;
}

static bool read_states(Request *request, uint32_t count, LLMError *error) {
    LLMPipeline *llm = request->llm;
    size_t C = llm->info.channels;
    float *states = request->states + request->scored * C;
    read_normed(&llm->run, count, states);
    if (device_failed(llm->device, error)) return false;
    for (size_t i = 0; i < count * C; i++)
        if (!isfinite(states[i]))
            return error_set(error, LLM_ERROR_NUMERIC,
                             "the state after %zu token%s is not a number: %s",
                             request->scored + i / C + 1, request->scored + i / C ? "s" : "",
                             pipeline_nan_reason(llm));
    return true;
}

static bool score_logits(Request *request, uint32_t first, uint32_t count, LLMError *error) {
    LLMPipeline *llm = request->llm;
    size_t V = llm->info.vocabulary;
    pipeline_logits(llm, first, count);
    if (request->logits)
        device_read(llm->run.buffers.logits, 0, request->logits + request->scored * V,
                    count * V * sizeof(float));
    if (request->nats) read_losses(request, count);
    if (device_failed(llm->device, error)) return false;
    return !request->nats || check_losses(request, count, error);
}

bool score_piece(Request *request, uint32_t tokens, LLMError *error) {
    if (request->states && !read_states(request, tokens, error)) return false;
    bool logits = request->logits || request->nats;
    for (uint32_t first = 0; first < tokens; first += LOGITS_PER_PASS) {
        uint32_t count = tokens - first;
        if (count > LOGITS_PER_PASS) count = LOGITS_PER_PASS;
        if (logits && !score_logits(request, first, count, error)) return false;
        request->scored += count;
    }
    return true;
}
