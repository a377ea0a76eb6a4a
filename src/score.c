/* score.c — logits and losses of a whole text. */
#include "engine/call.h"
#include "engine/engine.h"
#include "generate.h"

static void score(LLMPipeline *llm, const LLMTokens *tokens, float *logits, float *nats,
                  LLMError *error) {
    LLMError ignored = {0};
    if (!error) error = &ignored;
    Call call;
    if (!call_begin(&call, llm, error)) return;
    if (generate_check_tokens(llm, tokens, error) && tokens->count) {
        Arrival none;
        Request request = {.llm = llm, .texts = tokens, .rows = 1, .logits = logits, .nats = nats};
        if (!logits && !nats)
            error_set(error, LLM_ERROR_ARGUMENT, "there is no array to write to");
        else if (engine_submit(&request, error)) {
            engine_next(&request, &none, error);
            engine_finish(&request, error);
        }
    }
    call_end(&call);
}

void llm_logits(LLMPipeline *llm, const LLMTokens *tokens, float *logits, LLMError *error) {
    score(llm, tokens, logits, NULL, error);
}

void llm_losses(LLMPipeline *llm, const LLMTokens *tokens, float *nats, LLMError *error) {
    score(llm, tokens, NULL, nats, error);
}
