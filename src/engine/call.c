#include "call.h"

#include "chat_model.h"
#include "engine.h"

#include <unistd.h>

static _Thread_local Call *innermost;

void pipeline_hold(LLMPipeline *llm) {
    atomic_fetch_add(&llm->holders, 1);
}

void pipeline_let_go(LLMPipeline *llm) {
    if (atomic_fetch_sub(&llm->holders, 1) > 1) return;
    engine_free(llm);
    chat_model_free(llm->chat);
    token_trie_free(llm->trie);
    pipeline_free(llm);
}

static bool calls_back(const LLMPipeline *llm) {
    for (const Call *call = innermost; call; call = call->outer)
        if (call->llm == llm) return true;
    return false;
}

bool call_begin(Call *call, LLMPipeline *llm, LLMError *error) {
    if (error_is_set(error)) return false;
    if (!llm) return error_set(error, LLM_ERROR_ARGUMENT, "no model is open");
    if (llm->owner != getpid())
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "the model was opened by the process %ld: a forked child opens its own",
                         (long)llm->owner);
    if (calls_back(llm))
        return error_set(error, LLM_ERROR_BUSY,
                         "the model is at work: a callback calls again when the call that it came "
                         "from has ended");
    if (llm->closing) return error_set(error, LLM_ERROR_ARGUMENT, "the model has been closed");
    pipeline_hold(llm);
    *call = (Call){llm, innermost};
    innermost = call;
    return true;
}

void call_end(Call *call) {
    innermost = call->outer;
    pipeline_let_go(call->llm);
}
