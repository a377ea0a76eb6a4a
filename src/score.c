/* score.c — logits, losses and hidden states of a whole text. */
#include "engine/call.h"
#include "engine/engine.h"
#include "generate.h"

/* What the arrays of `wanted` ask for. */
static void score(LLMPipeline *llm, const LLMTokens *tokens, Request wanted, LLMError *error) {
    LLMError ignored = {0};
    if (!error) error = &ignored;
    Call call;
    if (!call_begin(&call, llm, error)) return;
    if (generate_check_tokens(llm, tokens, error) && tokens->count) {
        Arrival none;
        Request request = wanted;
        request.llm = llm, request.texts = tokens, request.rows = 1;
        if (!request.logits && !request.nats && !request.states)
            error_set(error, LLM_ERROR_ARGUMENT, "there is no array to write to");
        else if (engine_submit(&request, error)) {
            engine_next(&request, &none, error);
            engine_finish(&request, error);
        }
    }
    call_end(&call);
}

void llm_logits(LLMPipeline *llm, const LLMTokens *tokens, float *logits, LLMError *error) {
    score(llm, tokens, (Request){.logits = logits}, error);
}

void llm_losses(LLMPipeline *llm, const LLMTokens *tokens, float *nats, LLMError *error) {
    score(llm, tokens, (Request){.nats = nats}, error);
}

void llm_hidden_states(LLMPipeline *llm, const LLMTokens *tokens, float *states, LLMError *error) {
    score(llm, tokens, (Request){.states = states}, error);
}
