/* inspect_kernels.c — GET and POST /inspect/kernels: a token's way through the kernels, what each
 * of them takes, their sources and their pages. */
#include "inspect_kernels.h"

#include "../kernel_text.h"
#include "inspect_text.h"
#include "tokens.h"

#include <stdlib.h>

/* --- the text --- */

/* Where none is given: a text of one token. */
static bool begin_text(LLMPipeline *llm, LLMTokens *tokens, LLMError *error) {
    const LLMInfo *info = llm_info(llm);
    uint32_t first = info->begin_of_text < info->vocabulary ? info->begin_of_text : 0;
    return tokens_append(tokens, first, error);
}

static bool read_text(Exchange *exchange, LLMTokens *tokens) {
    static const char *const known[] = {"model", "prompt", "messages", "chat_template_kwargs",
                                        NULL};
    static const char *const none[] = {NULL};
    LLMPipeline *llm = exchange->server->llm;
    Fields fields = {&exchange->body, &exchange->problem};
    LLMError error = {0};
    if (!exchange->body.json) {
        begin_text(llm, tokens, &error);
        return problem_of_error(&exchange->problem, &error, NULL);
    }
    fields_known(&fields, known, none);
    return inspect_text_read(llm, &fields, tokens);
}

/* --- the reply --- */

static cJSON *object_in(cJSON *json, const char *name) {
    cJSON *found = cJSON_GetObjectItemCaseSensitive(json, name);
    return found ? found : cJSON_AddObjectToObject(json, name);
}

static void add_text(cJSON *texts, const char *file, char *text) {
    if (text) cJSON_AddStringToObject(texts, file, text);
    free(text);
}

void inspect_add_file(Exchange *exchange, cJSON *reply, const char *file) {
    cJSON *sources = object_in(reply, "sources"), *pages = object_in(reply, "pages");
    LLMError error = {0};
    if (!*file || cJSON_GetObjectItemCaseSensitive(sources, file)) return;
    add_text(sources, file, kernel_text(exchange->server->pipeline.kernels, file, &error));
    add_text(pages, file, kernel_page(file, &error));
    problem_of_error(&exchange->problem, &error, NULL);
}

static cJSON *step_json(const LLMPlanStep *step) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "step", step->step);
    cJSON_AddStringToObject(json, "shape", step->shape);
    cJSON_AddStringToObject(json, "kernel", step->kernel);
    cJSON_AddStringToObject(json, "file", step->file);
    cJSON_AddStringToObject(json, "why", step->why);
    cJSON_AddNumberToObject(json, "calls", (double)step->calls);
    cJSON_AddNumberToObject(json, "bytes", step->bytes);
    cJSON_AddNumberToObject(json, "seconds", step->seconds);
    return json;
}

static cJSON *call_json(const LLMPlan *plan, size_t call) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "step", plan->order[call]);
    cJSON_AddNumberToObject(json, "seconds", plan->seconds[call]);
    return json;
}

static void send_plan(Exchange *exchange, const LLMPlan *plan, size_t tokens) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "tokens", (double)tokens);
    cJSON_AddStringToObject(json, "why", plan->why);
    cJSON *steps = cJSON_AddArrayToObject(json, "steps");
    cJSON *calls = cJSON_AddArrayToObject(json, "calls");
    for (size_t i = 0; i < plan->count; i++) {
        cJSON_AddItemToArray(steps, step_json(llm_plan_step(plan, i)));
        inspect_add_file(exchange, json, llm_plan_step(plan, i)->file);
    }
    for (size_t i = 0; i < plan->calls; i++)
        cJSON_AddItemToArray(calls, call_json(plan, i));
    if (!exchange->problem.status) {
        reply_json(exchange, 200, json);
        return;
    }
    cJSON_Delete(json);
}

void answer_inspect_kernels(Exchange *exchange) {
    LLMTokens tokens = {0};
    LLMError error = {0};
    LLMPlan *plan =
        read_text(exchange, &tokens) ? llm_measure(exchange->server->llm, &tokens, &error) : NULL;
    if (problem_of_error(&exchange->problem, &error, NULL) && plan)
        send_plan(exchange, plan, tokens.count);
    llm_plan_free(plan);
    llm_tokens_free(&tokens);
}
