/* embeddings.c — POST /v1/embeddings: a text as a vector.
 *
 * It is the mean of the hidden states after the last norm, or the last token's, of length 1.
 * Models that were trained to continue texts are no match for those that were trained for this. */
#include "job.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Embedding {
    Job *job;
    bool last;   /* the last token's state; else the mean */
    bool base64; /* of floats, the least byte first */
} Embedding;

static void ask(Embedding *embedding, const Fields *fields) {
    static const char *const known[] = {"model", "input", "encoding_format", "user", NULL};
    static const char *const also[] = {"dimensions", "pooling", NULL};
    const char *format = "float", *pooling = "mean";
    uint32_t C = llm_info(embedding->job->llm)->channels, wanted = C;
    fields_known(fields, known, also);
    field_text(fields, "encoding_format", &format);
    field_text(fields, "pooling", &pooling);
    field_uint32(fields, "dimensions", C, C, &wanted);
    embedding->base64 = !strcmp(format, "base64");
    embedding->last = !strcmp(pooling, "last");
    if (!embedding->base64 && strcmp(format, "float"))
        problem_set(fields->problem, 400, "invalid_value", "encoding_format",
                    "encoding_format is \"float\" or \"base64\"");
    if (!embedding->last && strcmp(pooling, "mean"))
        problem_set(fields->problem, 400, "invalid_value", "pooling",
                    "pooling is \"mean\" or \"last\"");
}

/* --- the vector --- */

/* states[count,C] → vector[C], of length 1. */
static void pool(const float *states, size_t count, uint32_t C, bool last, float *vector) {
    double squares = 0;
    for (uint32_t c = 0; c < C; c++) {
        double sum = 0;
        for (size_t t = last ? count - 1 : 0; t < count; t++)
            sum += states[t * C + c];
        vector[c] = (float)(sum / (last ? 1.0 : (double)count));
        squares += (double)vector[c] * vector[c];
    }
    double length = sqrt(squares);
    for (uint32_t c = 0; c < C && length > 0; c++)
        vector[c] = (float)(vector[c] / length);
}

static bool embed(const Embedding *embedding, const LLMTokens *tokens, float *vector) {
    Job *job = embedding->job;
    uint32_t C = llm_info(job->llm)->channels;
    if (job->server->ending) return problem_stopping(&job->problem);
    if (!tokens->count)
        return problem_set(&job->problem, 400, "invalid_value", "input",
                           "input has a text without a token");
    float *states = malloc(tokens->count * C * sizeof *states);
    if (!states) return problem_memory(&job->problem);
    llm_hidden_states(job->llm, tokens, states, &job->error);
    bool done = problem_of_error(&job->problem, &job->error, "input");
    if (done) pool(states, tokens->count, C, embedding->last, vector);
    free(states);
    return done;
}

/* --- the reply --- */

/* RFC 4648. */
static cJSON *base64_json(const unsigned char *bytes, size_t size) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((size + 2) / 3 * 4 + 1), *end = text;
    if (!text) return NULL;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16;
        if (i + 1 < size) three |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < size) three |= bytes[i + 2];
        *end++ = letters[three >> 18];
        *end++ = letters[three >> 12 & 63];
        *end++ = i + 1 < size ? letters[three >> 6 & 63] : '=';
        *end++ = i + 2 < size ? letters[three & 63] : '=';
    }
    *end = 0;
    cJSON *json = cJSON_CreateString(text);
    free(text);
    return json;
}

/* The machines that this runs on keep the least byte first, too. */
static cJSON *vector_json(const Embedding *embedding, const float *vector, uint32_t C) {
    if (embedding->base64) return base64_json((const unsigned char *)vector, C * sizeof *vector);
    return cJSON_CreateFloatArray(vector, (int)C);
}

static bool add_vectors(const Embedding *embedding, cJSON *list) {
    Job *job = embedding->job;
    uint32_t C = llm_info(job->llm)->channels;
    float *vector = malloc(C * sizeof *vector);
    bool done = vector || problem_memory(&job->problem);
    for (size_t i = 0; done && i < job->prompt_count; i++) {
        done = embed(embedding, &job->prompts[i], vector);
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "object", "embedding");
        cJSON_AddNumberToObject(object, "index", (double)i);
        if (done) cJSON_AddItemToObject(object, "embedding", vector_json(embedding, vector, C));
        cJSON_AddItemToArray(list, object);
        if (client_is_gone(job->socket)) break;
    }
    free(vector);
    return done;
}

static cJSON *reply_of(const Embedding *embedding) {
    const Job *job = embedding->job;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "object", "list");
    bool done = add_vectors(embedding, cJSON_AddArrayToObject(json, "data"));
    cJSON_AddStringToObject(json, "model", job->server->model);
    cJSON *usage = cJSON_AddObjectToObject(json, "usage");
    cJSON_AddNumberToObject(usage, "prompt_tokens", (double)job->prompt_tokens);
    cJSON_AddNumberToObject(usage, "total_tokens", (double)job->prompt_tokens);
    if (done) return json;
    cJSON_Delete(json);
    return NULL;
}

void answer_embeddings(Exchange *exchange) {
    Embedding embedding = {.job = job_new(exchange, false)};
    Job *job = embedding.job;
    if (!job) return;
    Fields fields = {&exchange->body, &job->problem};
    job->n = 1;
    ask(&embedding, &fields);
    cJSON *json =
        job_read_prompt(job, &fields, "input") && job_prepare(job) ? reply_of(&embedding) : NULL;
    if (json) {
        atomic_fetch_add(&job->server->metrics.prompt_tokens, job->prompt_tokens);
        reply_json(exchange, 200, json);
    }
    exchange->problem = exchange->problem.status ? exchange->problem : job->problem;
    job_free(job);
}
