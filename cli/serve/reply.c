/* reply.c — a reply that is whole. */
#include "device/kernel.h"
#include "server.h"

#include <string.h>

void reply_text(Exchange *exchange, unsigned status, const char *type, const char *text) {
    exchange->response = MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                         MHD_RESPMEM_MUST_COPY);
    exchange->status = status;
    if (exchange->response)
        MHD_add_response_header(exchange->response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
}

/* The files beside this one that are sent as they are: name and text. */
extern const KernelSource serve_texts[];

void reply_file(Exchange *exchange, const char *type, const char *name) {
    const KernelSource *file = serve_texts;
    while (strcmp(file->file, name))
        file++;
    reply_text(exchange, 200, type, file->text);
}

void answer_openapi(Exchange *exchange) {
    reply_file(exchange, "application/json", "openapi.json");
}

void reply_json(Exchange *exchange, unsigned status, cJSON *json) {
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    if (text)
        reply_text(exchange, status, "application/json", text);
    else
        problem_memory(&exchange->problem);
    cJSON_free(text);
}

static const char *const method_names[] = {
    [METHOD_GET] = "GET, HEAD",
    [METHOD_POST] = "POST",
    [METHOD_GET | METHOD_POST] = "GET, HEAD, POST",
};

void reply_problem(Exchange *exchange) {
    const Problem *problem = &exchange->problem;
    unsigned status = problem->status;
    cJSON *json = problem_json(problem);
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    reply_text(exchange, status, "application/json",
               text ? text : "{\"error\":{\"message\":\"the server is out of memory\"}}");
    cJSON_free(text);
    cJSON_Delete(json);
    if (!exchange->response) return;
    if (status == 405)
        MHD_add_response_header(exchange->response, "Allow", method_names[exchange->methods]);
    if (status == 401) MHD_add_response_header(exchange->response, "WWW-Authenticate", "Bearer");
    if (status == 429 || status == 503)
        MHD_add_response_header(exchange->response, "Retry-After", "1");
}
