/* ask.c — what both endpoints ask for: how the tokens are drawn, and how many. */
#include "job.h"

#include "grammar/grammar.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* --- what may be asked for --- */

static const char *const sampling[] = {
    "model",
    "max_tokens",
    "temperature",
    "top_p",
    "n",
    "stream",
    "stream_options",
    "logprobs",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "seed",
    "top_k",
    "min_p",
    "typical_p",
    "ignore_eos",
    "user",
    "repetition_penalty",
    "response_format",
    "return_token_ids",
    NULL,
};
static const char *const of_completions[] = {"prompt", "echo", "best_of", "suffix", NULL};
/* Those from "store" on change no answer. */
static const char *const of_chats[] = {
    "messages",
    "max_completion_tokens",
    "top_logprobs",
    "chat_template_kwargs",
    "tools",
    "tool_choice",
    "store",
    "metadata",
    "service_tier",
    "prompt_cache_key",
    "safety_identifier",
    "user",
    "parallel_tool_calls",
    NULL,
};

static bool refuse(Job *job, const char *name, const char *what) {
    return problem_set(&job->problem, 400, "unsupported_value", name, "%s: %s", name, what);
}

/* Values of known parameters that would need what is not there. */
static void check_values(Job *job, const Fields *fields) {
    uint32_t best_of = 1;
    field_uint32(fields, "best_of", 1, UINT32_MAX, &best_of);
    if (best_of > job->n) refuse(job, "best_of", "answers are not ranked, n says how many come");
    const char *suffix = "";
    field_text(fields, "suffix", &suffix);
    if (*suffix) refuse(job, "suffix", "texts are continued at their end alone");
}

/* --- JSON --- */

bool job_hold_to(Job *job, char *schema, const char *parameter) {
    LLMError error = {0};
    cJSON_free(job->schema);
    job->schema = schema;
    job->generation.json_schema = schema;
    if (!schema) return problem_memory(&job->problem);
    grammar_free(grammar_new(schema, &error));
    return problem_of_error(&job->problem, &error, parameter);
}

/* As cJSON allocates it. */
static char *print_text(const char *text) {
    char *copy = cJSON_malloc(strlen(text) + 1);
    return copy ? strcpy(copy, text) : NULL;
}

static const cJSON *member(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* {"type": "text"}, {"type": "json_object"} or {"type": "json_schema", "json_schema": {"schema":
 * …}}
 */
static void read_format(Job *job, const Fields *fields) {
    const cJSON *format = field_find(fields, "response_format");
    const char *type = cJSON_GetStringValue(member(format, "type"));
    const cJSON *schema = member(member(format, "json_schema"), "schema");
    if (!format || (type && !strcmp(type, "text"))) return;
    if (job->tools.list)
        refuse(job, "response_format", "an answer that may call tools is held to no form");
    else if (type && !strcmp(type, "json_object"))
        job_hold_to(job, print_text("{\"type\": \"object\"}"), "response_format");
    else if (type && !strcmp(type, "json_schema") && schema)
        job_hold_to(job, cJSON_PrintUnformatted(schema), "response_format");
    else
        refuse(job, "response_format",
               "its type is \"text\", \"json_object\", or \"json_schema\" with a schema");
}

/* --- lists --- */

static bool add_stop(Job *job, const cJSON *text) {
    size_t *count = &job->generation.stop_count;
    if (!cJSON_IsString(text) || !*text->valuestring)
        return problem_set(&job->problem, 400, "invalid_type", "stop",
                           "stop must be a text, or a list of texts, none empty");
    if (*count == JOB_STOPS_MOST)
        return problem_set(&job->problem, 400, "invalid_value", "stop",
                           "stop has more than %d texts", JOB_STOPS_MOST);
    job->stops[(*count)++] = text->valuestring;
    return true;
}

static void read_stops(Job *job, const Fields *fields) {
    const cJSON *stop = field_find(fields, "stop"), *text;
    job->generation.stops = job->stops;
    if (cJSON_IsArray(stop)) {
        cJSON_ArrayForEach(text, stop) {
            if (!add_stop(job, text)) return;
        }
    } else if (stop) {
        add_stop(job, stop);
    }
}

/* {"50256": -100}; −100 and less forbid a token, as they do in effect at OpenAI's. */
static bool read_bias(Job *job, const cJSON *item, LLMLogitBias *bias) {
    char *end;
    unsigned long token = strtoul(item->string, &end, 10);
    bool whole = item->string[0] >= '0' && item->string[0] <= '9' && !*end;
    if (!whole || !cJSON_IsNumber(item) || fabs(item->valuedouble) > 100)
        return problem_set(&job->problem, 400, "invalid_value", "logit_bias",
                           "logit_bias gives ids of tokens numbers from -100 to 100");
    if (token >= llm_info(job->llm)->vocabulary)
        return problem_set(&job->problem, 400, "invalid_value", "logit_bias",
                           "logit_bias: token %lu is not in the vocabulary", token);
    float value = item->valuedouble <= -100 ? -INFINITY : (float)item->valuedouble;
    *bias = (LLMLogitBias){(uint32_t)token, value};
    return true;
}

static void read_biases(Job *job, const Fields *fields) {
    const cJSON *list = field_find(fields, "logit_bias"), *item;
    if (!list) return;
    if (!cJSON_IsObject(list)) {
        refuse(job, "logit_bias", "it must be an object");
        return;
    }
    job->biases = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *job->biases);
    if (!job->biases) problem_memory(&job->problem);
    size_t count = 0;
    if (job->biases) cJSON_ArrayForEach(item, list) {
            if (!read_bias(job, item, &job->biases[count++])) return;
        }
    job->generation.logit_bias = job->biases;
    job->generation.logit_bias_count = count;
}

/* --- the rest --- */

static void read_logprobs(Job *job, const Fields *fields) {
    if (job->chat) {
        field_bool(fields, "logprobs", &job->logprobs);
        field_uint32(fields, "top_logprobs", 0, LLM_LOGPROBS_MOST, &job->top);
        if (job->top && !job->logprobs)
            problem_set(&job->problem, 400, "invalid_value", "top_logprobs",
                        "top_logprobs needs \"logprobs\": true");
    } else {
        job->logprobs = field_find(fields, "logprobs");
        field_uint32(fields, "logprobs", 0, LLM_LOGPROBS_MOST, &job->top);
    }
    job->generation.logprobs = job->top;
}

static void read_stream(Job *job, const Fields *fields) {
    field_bool(fields, "stream", &job->streams);
    field_bool(fields, "return_token_ids", &job->ids);
    const cJSON *options = field_find(fields, "stream_options");
    if (options && !job->streams) refuse(job, "stream_options", "it needs \"stream\": true");
    job->streams_usage = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(options, "include_usage"));
}

static void read_sampling(Job *job, const Fields *fields) {
    LLMGeneration *generation = &job->generation;
    float top_p = 1;
    *generation = llm_generation();
    generation->temperature = 1;
    generation->penalty_window = UINT32_MAX;
    if (getentropy(&generation->seed, sizeof generation->seed))
        generation->seed = (uint64_t)job->created;
    field_seed(fields, &generation->seed);
    field_float(fields, "temperature", 0, 10000, &generation->temperature);
    field_float(fields, "top_p", 0, 1, &top_p);
    field_float(fields, "min_p", 0, 1, &generation->min_p);
    field_float(fields, "typical_p", 0, 1, &generation->typical_p);
    field_float(fields, "repetition_penalty", 0.01, 100, &generation->repetition_penalty);
    field_float(fields, "presence_penalty", -100, 100, &generation->presence_penalty);
    field_float(fields, "frequency_penalty", -100, 100, &generation->frequency_penalty);
    field_uint32(fields, "top_k", 0, UINT32_MAX, &generation->top_k);
    field_bool(fields, "ignore_eos", &generation->ignore_end);
    generation->top_p = top_p;
    if (top_p == 0) generation->temperature = 0; /* the likeliest alone */
}

bool job_ask(Job *job, const Fields *fields) {
    fields_known(fields, sampling, job->chat ? of_chats : of_completions);
    job->n = 1;
    job->most = job->chat ? UINT32_MAX : 16; /* OpenAI's */
    field_uint32(fields, "n", 1, JOB_ANSWERS_MOST, &job->n);
    uint32_t least = job->chat ? 1 : 0;
    field_uint32(fields, "max_tokens", least, UINT32_MAX, &job->most);
    field_uint32(fields, "max_completion_tokens", least, UINT32_MAX, &job->most);
    field_bool(fields, "echo", &job->echo);
    read_sampling(job, fields);
    read_stops(job, fields);
    read_biases(job, fields);
    read_logprobs(job, fields);
    read_stream(job, fields);
    if (job->chat) tools_read(&job->tools, fields);
    read_format(job, fields);
    check_values(job, fields);
    return !job->problem.status;
}
