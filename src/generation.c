#include "generation.h"

#include <math.h>
#include <stdlib.h>

static bool check_number(const char *name, float value, float least, float most, LLMError *error) {
    if (value == 0 || (value >= least && value <= most)) return true;
    return error_set(error, LLM_ERROR_ARGUMENT, "%s must be %g to %g, not %g", name, least, most,
                     value);
}

static bool check_bias(const LLMGeneration *generation, uint32_t V, LLMError *error) {
    const LLMLogitBias *list = generation->logit_bias;
    if (!list && generation->logit_bias_count)
        return error_set(error, LLM_ERROR_ARGUMENT, "there is no logit_bias: it is NULL");
    for (size_t i = 0; i < generation->logit_bias_count; i++) {
        if (list[i].token >= V)
            return error_set(error, LLM_ERROR_ARGUMENT,
                             "logit_bias: token %u is not in the vocabulary of %u", list[i].token,
                             V);
        if (!(fabsf(list[i].bias) <= 1e4f) && list[i].bias != -INFINITY)
            return error_set(error, LLM_ERROR_ARGUMENT,
                             "the logit_bias of token %u must be -10000 to 10000, or -INFINITY to "
                             "forbid it, not %g",
                             list[i].token, list[i].bias);
    }
    return true;
}

static bool check_stops(const LLMGeneration *generation, LLMError *error) {
    if (!generation->stops && generation->stop_count)
        return error_set(error, LLM_ERROR_ARGUMENT, "there are no stops: they are NULL");
    for (size_t i = 0; i < generation->stop_count; i++)
        if (!generation->stops[i] || !*generation->stops[i])
            return error_set(error, LLM_ERROR_ARGUMENT, "stop text %zu is empty: leave it out", i);
    return true;
}

static bool check_logprobs(const LLMGeneration *generation, LLMError *error) {
    if (generation->logprobs <= LLM_LOGPROBS_MOST) return true;
    return error_set(error, LLM_ERROR_ARGUMENT, "logprobs must be 0 to %d, not %zu",
                     LLM_LOGPROBS_MOST, generation->logprobs);
}

bool generation_check(const LLMGeneration *generation, uint32_t V, LLMError *error) {
    return check_number("temperature", generation->temperature, 0, 1e4f, error) &&
           check_number("top_p", generation->top_p, 0, 1, error) &&
           check_number("min_p", generation->min_p, 0, 1, error) &&
           check_number("typical_p", generation->typical_p, 0, 1, error) &&
           check_number("repetition_penalty", generation->repetition_penalty, 0.01f, 100, error) &&
           check_number("presence_penalty", generation->presence_penalty, -100, 100, error) &&
           check_number("frequency_penalty", generation->frequency_penalty, -100, 100, error) &&
           check_bias(generation, V, error) && check_stops(generation, error) &&
           check_logprobs(generation, error);
}

static bool leaves_a_token(const float *bias, uint32_t V) {
    for (uint32_t v = 0; v < V; v++)
        if (bias[v] != -INFINITY) return true;
    return false;
}

float *generation_bias(const LLMGeneration *generation, uint32_t V, LLMError *error) {
    float *bias = calloc(V, sizeof *bias);
    if (!bias) return error_memory(error, V * sizeof *bias);
    for (size_t i = 0; i < generation->logit_bias_count; i++)
        bias[generation->logit_bias[i].token] += generation->logit_bias[i].bias;
    if (leaves_a_token(bias, V)) return bias;
    error_set(error, LLM_ERROR_ARGUMENT, "logit_bias forbids every token of the vocabulary");
    free(bias);
    return NULL;
}
