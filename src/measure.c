/* measure.c — what the kernels of a step take, asked of the engine. */
#include "engine/call.h"
#include "engine/engine.h"
#include "generate.h"

static void measure(LLMPipeline *llm, const LLMTokens *tokens, LLMPlan *plan, LLMError *error) {
    Arrival none;
    Measurement measurement = {.plan = plan};
    Request request = {.llm = llm, .texts = tokens, .rows = 1, .measurement = &measurement};
    if (!engine_submit(&request, error)) return;
    engine_next(&request, &none, error);
    engine_finish(&request, error);
}

static bool check(LLMPipeline *llm, const LLMTokens *tokens, LLMError *error) {
    return generate_check_tokens(llm, tokens, error) &&
           (tokens->count || error_set(error, LLM_ERROR_ARGUMENT,
                                       "the text is empty: there is no token to be decoded"));
}

LLMPlan *llm_measure(LLMPipeline *llm, const LLMTokens *tokens, LLMError *error) {
    LLMError ignored = {0};
    if (!error) error = &ignored;
    Call call;
    if (!call_begin(&call, llm, error)) return NULL;
    LLMPlan *plan = check(llm, tokens, error) ? plan_new(error) : NULL;
    if (plan) measure(llm, tokens, plan, error);
    call_end(&call);
    if (!error_is_set(error)) return plan;
    llm_plan_free(plan);
    return NULL;
}
