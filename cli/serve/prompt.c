/* prompt.c — what requests bring for the model: a text, texts, ids, or lists of ids. */
#include "job.h"

#include "tokens.h"

static bool add_ids(Job *job, const char *name, const cJSON *list) {
    uint32_t vocabulary = llm_info(job->llm)->vocabulary;
    LLMTokens tokens = {0};
    LLMError error = {0};
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        double id = cJSON_IsNumber(item) ? item->valuedouble : -1;
        if (!(id >= 0 && id < vocabulary) || id != (uint32_t)id)
            error_set(&error, LLM_ERROR_ARGUMENT,
                      "a list in %s has ids of tokens, which are below %u", name, vocabulary);
        if (!tokens_append(&tokens, error.status ? 0 : (uint32_t)id, &error)) break;
        if (error.status) break;
    }
    if (problem_of_error(&job->problem, &error, name)) return job_add_prompt(job, &tokens);
    llm_tokens_free(&tokens);
    return false;
}

static bool add_text(Job *job, const char *name, const char *text) {
    LLMError error = {0};
    LLMTokens tokens = llm_encode(job->llm, text, 0, &error);
    return problem_of_error(&job->problem, &error, name) && job_add_prompt(job, &tokens);
}

static bool add_item(Job *job, const char *name, const cJSON *item) {
    if (cJSON_IsString(item)) return add_text(job, name, item->valuestring);
    if (cJSON_IsArray(item)) return add_ids(job, name, item);
    return problem_set(&job->problem, 400, "invalid_type", name,
                       "%s must be a text, ids of tokens, or a list of such", name);
}

bool job_read_prompt(Job *job, const Fields *fields, const char *name) {
    const cJSON *prompt = field_find(fields, name), *item;
    job->source = name;
    if (!prompt)
        return problem_set(&job->problem, 400, "missing_required_parameter", name, "there is no %s",
                           name);
    if (!cJSON_IsArray(prompt) || cJSON_IsNumber(cJSON_GetArrayItem(prompt, 0)))
        return add_item(job, name, prompt);
    if (!cJSON_GetArraySize(prompt) || cJSON_GetArraySize(prompt) > JOB_ANSWERS_MOST)
        return problem_set(&job->problem, 400, "invalid_value", name,
                           "%s has to have from 1 to %d texts", name, JOB_ANSWERS_MOST);
    cJSON_ArrayForEach(item, prompt) {
        if (!add_item(job, name, item)) return false;
    }
    return true;
}

void answer_completions(Exchange *exchange) {
    Job *job = job_new(exchange, false);
    if (!job) return;
    Fields fields = {&exchange->body, &job->problem};
    if (job_ask(job, &fields) && job_read_prompt(job, &fields, "prompt") && job_prepare(job)) {
        job_answer(job, exchange);
        return;
    }
    exchange->problem = job->problem;
    job_free(job);
}
