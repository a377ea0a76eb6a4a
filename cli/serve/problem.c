#include "problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool problem_set(Problem *problem, unsigned status, const char *code, const char *parameter,
                 const char *format, ...) {
    if (problem->status) return false;
    problem->status = status;
    problem->code = code;
    snprintf(problem->parameter, sizeof problem->parameter, "%s", parameter ? parameter : "");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->message, sizeof problem->message, format, arguments);
    va_end(arguments);
    make_printable(problem->parameter, strlen(problem->parameter), "");
    make_printable(problem->message, strlen(problem->message), "");
    return false;
}

bool problem_memory(Problem *problem) {
    return problem_set(problem, 503, "out_of_memory", NULL, "the server is out of memory");
}

bool problem_stopping(Problem *problem) {
    return problem_set(problem, 503, "stopping", NULL, "the server is stopping");
}

bool problem_of_error(Problem *problem, const LLMError *error, const char *parameter) {
    switch (error->status) {
    case LLM_OK:
        return !problem->status;
    case LLM_ERROR_ARGUMENT:
        return problem_set(problem, 400, "invalid_value", parameter, "%s", error->message);
    case LLM_ERROR_CONTEXT:
        return problem_set(problem, 400, "context_length_exceeded", parameter, "%s",
                           error->message);
    case LLM_ERROR_FORMAT: /* of the model: it has no template, or no tokenizer */
        return problem_set(problem, 400, "unsupported_by_model", parameter, "%s", error->message);
    case LLM_ERROR_MEMORY:
    case LLM_ERROR_BUSY:
        return problem_set(problem, 503, NULL, NULL, "%s", error->message);
    default:
        return problem_set(problem, 500, NULL, NULL, "%s", error->message);
    }
}

static const char *type_of(unsigned status) {
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 429:
        return "rate_limit_error";
    case 503:
        return "service_unavailable_error";
    default:
        return status < 500 ? "invalid_request_error" : "server_error";
    }
}

static bool add_text(cJSON *object, const char *name, const char *text) {
    return text && *text ? cJSON_AddStringToObject(object, name, text) != NULL
                         : cJSON_AddNullToObject(object, name) != NULL;
}

cJSON *problem_json(const Problem *problem) {
    cJSON *json = cJSON_CreateObject(), *error = cJSON_AddObjectToObject(json, "error");
    if (cJSON_AddStringToObject(error, "message", problem->message) &&
        cJSON_AddStringToObject(error, "type", type_of(problem->status)) &&
        add_text(error, "param", problem->parameter) && add_text(error, "code", problem->code))
        return json;
    cJSON_Delete(json);
    return NULL;
}
