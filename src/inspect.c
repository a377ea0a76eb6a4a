/* inspect.c — what is to be seen inside a pass, asked of the engine. */
#include "engine/call.h"
#include "engine/engine.h"
#include "generate.h"
#include "sized.h"

static bool check_head(const LLMInfo *info, LLMHead head, const char *what, LLMError *error) {
    return (head.layer < info->layers && head.head < info->heads) ||
           error_set(error, LLM_ERROR_ARGUMENT,
                     "%s is head %u of layer %u, but there are %u layers of %u heads, counted from "
                     "0",
                     what, head.head, head.layer, info->layers, info->heads);
}

static bool check_switches(const LLMInfo *info, const LLMInspection *wanted, LLMError *error) {
    if ((wanted->heads_off_count && !wanted->heads_off) ||
        (wanted->mlps_off_count && !wanted->mlps_off))
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "heads or MLPs are to be off, but their list is NULL");
    for (size_t i = 0; i < wanted->heads_off_count; i++)
        if (!check_head(info, wanted->heads_off[i], "one that is to be off", error)) return false;
    for (size_t i = 0; i < wanted->mlps_off_count; i++)
        if (wanted->mlps_off[i] >= info->layers)
            return error_set(error, LLM_ERROR_ARGUMENT,
                             "the MLP of layer %u is to be off, but there are %u layers, counted "
                             "from 0",
                             wanted->mlps_off[i], info->layers);
    return true;
}

static bool check_counts(const LLMInfo *info, const LLMInspection *wanted, LLMError *error) {
    return (wanted->top_count <= info->vocabulary && wanted->lens_count <= info->vocabulary) ||
           error_set(error, LLM_ERROR_ARGUMENT,
                     "%zu of the likeliest tokens are wanted, and there are %u",
                     wanted->top_count > wanted->lens_count ? wanted->top_count
                                                            : wanted->lens_count,
                     info->vocabulary);
}

static bool check_positions(const LLMInspection *wanted, size_t count, LLMError *error) {
    size_t token = wanted->token == UINT32_MAX ? count - 1 : wanted->token;
    size_t tokens = wanted->token_count ? wanted->token_count : 1;
    if (token + tokens > count)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "the attention of token %zu is wanted, but there are %zu, counted from 0",
                         token + tokens - 1, count);
    return wanted->first < count ||
           error_set(error, LLM_ERROR_ARGUMENT,
                     "predictions are wanted from token %u on, but there are %zu, counted from 0",
                     wanted->first, count);
}

static bool check(const LLMInfo *info, const LLMInspection *wanted, size_t count, LLMError *error) {
    return check_counts(info, wanted, error) && check_positions(wanted, count, error) &&
           check_switches(info, wanted, error) &&
           (!wanted->head_attention ||
            check_head(info, wanted->head, "the one that is wanted whole", error));
}

static void inspect(LLMPipeline *llm, const LLMTokens *tokens, const LLMInspection *wanted,
                    LLMError *error) {
    Arrival none;
    Inspection inspection;
    Request request = {.llm = llm,
                       .texts = tokens,
                       .rows = 1,
                       .inspection = &inspection,
                       .on_wait = wanted->on_wait,
                       .user = wanted->user};
    if (inspection_begin(&inspection, llm, wanted, (uint32_t)tokens->count, error) &&
        engine_submit(&request, error)) {
        engine_next(&request, &none, error);
        engine_finish(&request, error);
        if (request.unwanted)
            error_set(error, LLM_ERROR_BUSY, "the inspection was given up: on_wait has said so");
    }
    inspection_free(&inspection);
}

static bool copy_wanted(LLMInspection *wanted, const LLMInspection *given, LLMError *error) {
    if (!given)
        return error_set(error, LLM_ERROR_ARGUMENT, "what is to be seen is not said: it is NULL");
    return sized_copy(wanted, sizeof *wanted, given, "LLMInspection",
                      "LLM_INSPECTION, or llm_inspection() in Swift", error);
}

void llm_inspect(LLMPipeline *llm, const LLMTokens *tokens, const LLMInspection *given,
                 LLMError *error) {
    LLMError ignored = {0};
    if (!error) error = &ignored;
    LLMInspection wanted;
    Call call;
    if (!call_begin(&call, llm, error)) return;
    if (copy_wanted(&wanted, given, error) && generate_check_tokens(llm, tokens, error) &&
        tokens->count && check(&llm->info, &wanted, tokens->count, error))
        inspect(llm, tokens, &wanted, error);
    call_end(&call);
}
