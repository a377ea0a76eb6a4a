/* mask.c — of rows whose text is JSON, the tokens that may come next. */
#include "state.h"

#include <math.h>
#include <stdlib.h>

static bool accept(Request *request, uint32_t b, uint32_t token, LLMError *error) {
    size_t size;
    const char *bytes = llm_token_bytes(request->llm, token, &size);
    return matcher_accept(request->matchers[b], bytes, size, error);
}

static bool begin_row(Request *request, uint32_t b, LLMError *error) {
    const LLMTokens *written = &request->written[b];
    request->matchers[b] = matcher_new(request->grammar, request->trie, error);
    bool fine = request->matchers[b];
    for (size_t i = 0; fine && i < written->count; i++)
        fine = accept(request, b, written->ids[i], error);
    return fine;
}

bool mask_begin(Request *request, LLMError *error) {
    if (!request->grammar) return true;
    request->matchers = calloc(request->rows, sizeof(Matcher *));
    request->allowed = calloc(request->trie->words + (size_t)1, sizeof *request->allowed);
    if (!request->matchers || !request->allowed)
        return error_memory(error, request->trie->words * sizeof *request->allowed);
    for (uint32_t b = 0; b < request->rows; b++)
        if (!begin_row(request, b, error)) return false;
    return true;
}

void mask_free(Request *request) {
    for (uint32_t b = 0; request->matchers && b < request->rows; b++)
        matcher_free(request->matchers[b]);
    free(request->matchers);
    free(request->allowed);
}

static void allow_ends(const Request *request) {
    const LLMTokens *ends = &request->llm->model->ends;
    for (size_t i = 0; i < ends->count; i++)
        if (ends->ids[i] < request->llm->info.vocabulary)
            request->allowed[ends->ids[i] / 32] |= (uint32_t)1 << ends->ids[i] % 32;
}

/* Some token that no bias forbids. */
static bool allows_any(const Request *request) {
    for (uint32_t i = 0; i < request->trie->words; i++)
        for (uint32_t bit = 0; bit < 32; bit++) {
            bool allowed = request->allowed[i] >> bit & 1;
            if (allowed && !(request->bias && request->bias[32 * i + bit] == -INFINITY))
                return true;
        }
    return false;
}

static bool make_mask(Request *request, uint32_t b, LLMError *error) {
    Matcher *matcher = request->matchers[b];
    if (!matcher_mask(matcher, request->allowed, error)) return false;
    if (matcher_may_end(matcher) && !request->generation->ignore_end) allow_ends(request);
    return allows_any(request) ||
           error_set(error, LLM_ERROR_ARGUMENT,
                     "the vocabulary%s has no token that the JSON text can go on with",
                     request->bias ? ", without those that logit_bias forbids," : "");
}

bool mask_write(Request *request, LLMError *error) {
    size_t bytes = request->trie->words * sizeof *request->allowed;
    for (uint32_t b = 0; b < request->rows; b++) {
        if (matcher_must_end(request->matchers[b])) continue; /* it has ended */
        if (!make_mask(request, b, error)) return false;
        device_write(request->llm->run.buffers.allowed, (request->first + b) * bytes,
                     request->allowed, bytes);
    }
    return true;
}

bool mask_accept(Request *request, uint32_t b, uint32_t token, bool *whole, LLMError *error) {
    *whole = false;
    if (!request->grammar) return true;
    if (!accept(request, b, token, error)) return false;
    *whole = matcher_must_end(request->matchers[b]);
    return true;
}
