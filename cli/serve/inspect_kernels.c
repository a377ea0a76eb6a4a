/* inspect_kernels.c — GET /inspect/kernels: a token's way through the kernels, and their sources.
 */
#include "device/kernel.h"
#include "server.h"

#include <string.h>

static const char *source_of(const char *file) {
    for (size_t i = 0; *file && i < kernel_source_count; i++)
        if (!strcmp(kernel_sources[i].file, file)) return kernel_sources[i].text;
    return NULL;
}

static void add_step(cJSON *steps, cJSON *sources, const LLMPlanStep *step) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "step", step->step);
    cJSON_AddStringToObject(json, "shape", step->shape);
    cJSON_AddStringToObject(json, "kernel", step->kernel);
    cJSON_AddStringToObject(json, "file", step->file);
    cJSON_AddStringToObject(json, "why", step->why);
    cJSON_AddNumberToObject(json, "calls", (double)step->calls);
    cJSON_AddItemToArray(steps, json);
    const char *source = source_of(step->file);
    if (source && !cJSON_GetObjectItemCaseSensitive(sources, step->file))
        cJSON_AddStringToObject(sources, step->file, source);
}

void answer_inspect_kernels(Exchange *exchange) {
    const Server *server = exchange->server;
    LLMError error = {0};
    if (!server->path) {
        problem_set(&exchange->problem, 400, "unsupported_by_model", NULL,
                    "a model of random weights has no file that says which kernels it takes");
        return;
    }
    LLMOptions alone = server->pipeline;
    alone.sessions = 1;
    LLMPlan *plan = llm_explain(server->path, &alone, NULL, 1, &error);
    if (problem_of_error(&exchange->problem, &error, NULL)) {
        cJSON *json = cJSON_CreateObject(), *steps, *sources;
        cJSON_AddStringToObject(json, "why", plan->why);
        steps = cJSON_AddArrayToObject(json, "steps");
        sources = cJSON_AddObjectToObject(json, "sources");
        for (size_t i = 0; i < plan->count; i++)
            add_step(steps, sources, llm_plan_step(plan, i));
        reply_json(exchange, 200, json);
    }
    llm_plan_free(plan);
}
