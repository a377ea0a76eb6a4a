/* routes.c — what can be asked for. */
#include "server.h"

#include <string.h>

const Route routes[] = {
    {"GET", "/", answer_page, ROUTE_OPEN | ROUTE_LOADING},
    {"GET", "/health", answer_health, ROUTE_OPEN | ROUTE_LOADING},
    {"GET", "/metrics", answer_metrics, ROUTE_LOADING},
    {"GET", "/openapi.json", answer_openapi, ROUTE_LOADING},
    {"GET", "/v1/models", answer_models, 0},
    {"GET", "/tokenizer_info", answer_tokenizer_info, 0},
    {"POST", "/tokenize", answer_tokenize, 0},
    {"POST", "/detokenize", answer_detokenize, 0},
    {"POST", "/apply-template", answer_apply_template, 0},
    {"GET", "/inspect", answer_inspect_facts, 0},
    {"POST", "/inspect", answer_inspect, ROUTE_ADMITTED},
    {"GET", "/inspect/kernels", answer_inspect_kernels, ROUTE_ADMITTED},
    {"POST", "/inspect/kernels", answer_inspect_kernels, ROUTE_ADMITTED},
    {"POST", "/v1/completions", answer_completions, ROUTE_ADMITTED},
    {"POST", "/v1/chat/completions", answer_chat, ROUTE_ADMITTED},
    {"POST", "/v1/embeddings", answer_embeddings, ROUTE_ADMITTED},
    {0},
};

/* HEAD is GET without the body, which the HTTP library leaves out. */
static bool same_method(const char *asked, const char *method) {
    return !strcmp(asked, method) || (!strcmp(asked, "HEAD") && !strcmp(method, "GET"));
}

const Route *route_find(const char *method, const char *path, unsigned *methods) {
    *methods = 0;
    const Route *found = NULL;
    for (const Route *route = routes; route->path; route++) {
        if (strcmp(route->path, path)) continue;
        *methods |= strcmp(route->method, "GET") ? METHOD_POST : METHOD_GET;
        if (same_method(method, route->method)) found = route;
    }
    return found;
}
