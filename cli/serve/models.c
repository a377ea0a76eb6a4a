/* models.c — GET /health and /v1/models. */
#include "server.h"

void answer_health(Exchange *exchange) {
    if (!exchange->server->llm) {
        problem_set(&exchange->problem, 503, "loading", NULL, "the model is being loaded");
        return;
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "status", "ok");
    reply_json(exchange, 200, json);
}

void answer_models(Exchange *exchange) {
    const Server *server = exchange->server;
    const LLMInfo *info = llm_info(server->llm);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "object", "list");
    cJSON *model = cJSON_CreateObject();
    cJSON_AddStringToObject(model, "id", server->model);
    cJSON_AddStringToObject(model, "object", "model");
    cJSON_AddNumberToObject(model, "created", (double)server->opened);
    cJSON_AddStringToObject(model, "owned_by", "metal-llm");
    cJSON_AddNumberToObject(model, "max_model_len", info->context);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(json, "data"), model);
    reply_json(exchange, 200, json);
}
