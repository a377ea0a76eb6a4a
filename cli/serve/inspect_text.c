#include "inspect_text.h"

#include "chat_model.h"
#include "messages.h"
#include "tokens.h"

static bool read_ids(const Fields *fields, const cJSON *list, uint32_t V, LLMTokens *tokens) {
    LLMError error = {0};
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        double id = cJSON_IsNumber(item) ? item->valuedouble : -1;
        if (!(id >= 0 && id < V) || id != (uint32_t)id)
            return problem_set(fields->problem, 400, "invalid_value", "prompt",
                               "prompt is a text, or a list of ids, which are below %u", V);
        if (!tokens_append(tokens, (uint32_t)id, &error)) break;
    }
    return problem_of_error(fields->problem, &error, "prompt");
}

static bool encode_messages(LLMPipeline *llm, const Fields *fields, LLMTokens *tokens) {
    ChatText text = {0};
    LLMError error = {0};
    bool done = messages_render(llm, fields, NULL, &text) &&
                chat_model_encode(llm, &text, 0, tokens, &error);
    chat_text_free(&text);
    return problem_of_error(fields->problem, &error, "messages") && done;
}

static bool check_tokens(const Fields *fields, const LLMInfo *info, const LLMTokens *tokens) {
    if (tokens->count == 0)
        return problem_set(fields->problem, 400, "missing_required_parameter", "prompt",
                           "there is no prompt, or it is empty");
    return tokens->count <= info->context ||
           problem_set(fields->problem, 400, "context_length_exceeded", "prompt",
                       "the prompt has %zu tokens, more than the context of %u", tokens->count,
                       info->context);
}

bool inspect_text_read(LLMPipeline *llm, const Fields *fields, LLMTokens *tokens) {
    const LLMInfo *info = llm_info(llm);
    const cJSON *prompt = field_find(fields, "prompt");
    LLMError error = {0};
    bool done = true;
    if (field_find(fields, "messages"))
        done = encode_messages(llm, fields, tokens);
    else if (cJSON_IsArray(prompt))
        done = read_ids(fields, prompt, info->vocabulary, tokens);
    else if (cJSON_IsString(prompt))
        *tokens = llm_encode(llm, prompt->valuestring, 0, &error);
    return done && problem_of_error(fields->problem, &error, "prompt") &&
           !fields->problem->status && check_tokens(fields, info, tokens);
}
