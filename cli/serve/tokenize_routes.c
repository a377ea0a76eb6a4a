/* tokenize_routes.c — /tokenize, /detokenize and /tokenizer_info, in the form of vLLM. */
#include "job.h"
#include "messages.h"
#include "text.h"
#include "tokens.h"

#include <stdlib.h>

/* --- text to tokens --- */

/* "prompt", or "content" as llama.cpp has it, or the messages of a chat. */
static bool encode(Exchange *exchange, const Fields *fields, LLMTokens *tokens) {
    LLMPipeline *llm = exchange->server->llm;
    LLMError error = {0};
    bool special = true;
    const char *text = NULL;
    field_text(fields, "content", &text);
    field_text(fields, "prompt", &text);
    field_bool(fields, "add_special_tokens", &special);
    if (field_find(fields, "messages")) {
        ChatText rendered = {0};
        Tools tools = {0};
        if (tools_read(&tools, fields) && messages_render(llm, fields, tools.list, &rendered))
            chat_model_encode(llm, &rendered, 0, tokens, &error);
        chat_text_free(&rendered);
        tools_free(&tools);
    } else if (text) {
        *tokens = llm_encode(llm, text, special ? 0 : LLM_NO_BEGIN, &error);
    } else {
        problem_set(&exchange->problem, 400, "missing_required_parameter", "prompt",
                    "there is no prompt");
    }
    return problem_of_error(&exchange->problem, &error, "prompt");
}

void answer_tokenize(Exchange *exchange) {
    static const char *const known[] = {"model",    "prompt", "content", "add_special_tokens",
                                        "messages", NULL};
    static const char *const also[] = {"return_token_strs", "chat_template_kwargs", "tools", NULL};
    Fields fields = {&exchange->body, &exchange->problem};
    LLMTokens tokens = {0};
    bool texts = false;
    fields_known(&fields, known, also);
    field_bool(&fields, "return_token_strs", &texts);
    if (encode(exchange, &fields, &tokens)) {
        LLMPipeline *llm = exchange->server->llm;
        cJSON *json = cJSON_CreateObject(), *ids = cJSON_AddArrayToObject(json, "tokens");
        cJSON *list = texts ? cJSON_AddArrayToObject(json, "token_strs") : NULL;
        for (size_t i = 0; i < tokens.count; i++) {
            cJSON_AddItemToArray(ids, cJSON_CreateNumber(tokens.ids[i]));
            char *text = texts ? token_text(llm, tokens.ids[i]) : NULL;
            if (text) cJSON_AddItemToArray(list, cJSON_CreateString(text));
            free(text);
        }
        cJSON_AddNumberToObject(json, "count", (double)tokens.count);
        cJSON_AddNumberToObject(json, "max_model_len", llm_info(llm)->context);
        reply_json(exchange, 200, json);
    }
    llm_tokens_free(&tokens);
}

/* --- tokens to text --- */

static bool read_ids(const Fields *fields, uint32_t vocabulary, LLMTokens *tokens) {
    const cJSON *list = field_find(fields, "tokens"), *item;
    LLMError error = {0};
    if (!cJSON_IsArray(list))
        return problem_set(fields->problem, 400, "missing_required_parameter", "tokens",
                           "tokens must be a list of ids");
    cJSON_ArrayForEach(item, list) {
        double id = cJSON_IsNumber(item) ? item->valuedouble : -1;
        if (!(id >= 0 && id < vocabulary) || id != (uint32_t)id)
            return problem_set(fields->problem, 400, "invalid_value", "tokens",
                               "tokens must be ids, which are below %u", vocabulary);
        if (!tokens_append(tokens, (uint32_t)id, &error)) break;
    }
    return problem_of_error(fields->problem, &error, "tokens");
}

void answer_detokenize(Exchange *exchange) {
    static const char *const known[] = {"model", "tokens", NULL}, *const also[] = {NULL};
    LLMPipeline *llm = exchange->server->llm;
    Fields fields = {&exchange->body, &exchange->problem};
    fields_known(&fields, known, also);
    LLMTokens tokens = {0};
    LLMError error = {0};
    if (read_ids(&fields, llm_info(llm)->vocabulary, &tokens)) {
        size_t size = 0;
        char *text = tokens_text(llm, &tokens, &size, &error);
        if (problem_of_error(&exchange->problem, &error, "tokens")) {
            cJSON *json = cJSON_CreateObject();
            cJSON_AddItemToObject(json, "prompt", text_json(text, size));
            cJSON_AddItemToObject(json, "content", text_json(text, size));
            reply_json(exchange, 200, json);
        }
        free(text);
    }
    llm_tokens_free(&tokens);
}

/* --- about tokens --- */

static void add_token(cJSON *json, const char *name, const LLMPipeline *llm, uint32_t token) {
    char *text = token < llm_info(llm)->vocabulary ? token_text(llm, token) : NULL;
    if (text)
        cJSON_AddStringToObject(json, name, text);
    else
        cJSON_AddNullToObject(json, name);
    free(text);
}

void answer_tokenizer_info(Exchange *exchange) {
    const LLMPipeline *llm = exchange->server->llm;
    const LLMInfo *info = llm_info(llm);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "vocab_size", info->vocabulary);
    cJSON_AddNumberToObject(json, "model_max_length", info->context);
    add_token(json, "bos_token", llm, info->begin_of_text);
    add_token(json, "eos_token", llm, info->end_of_text);
    reply_json(exchange, 200, json);
}
