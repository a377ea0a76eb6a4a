/* logprobs.c — how likely tokens are, in the two forms that OpenAI has for it. */
#include "job.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>

enum { IMPOSSIBLE = -9999 }; /* OpenAI's number for −∞, which JSON has not */

static double logprob_number(float logprob) {
    return logprob > IMPOSSIBLE ? (double)logprob : IMPOSSIBLE;
}

/* --- from logits --- */

/* Into a list that begins with the likeliest; of equals the first stays first. */
static void insert(TokenLogprobs *logprobs, uint32_t most, LLMLogprob one) {
    uint32_t place = logprobs->count;
    while (place > 0 && logprobs->top[place - 1].logprob < one.logprob)
        place--;
    if (place == most) return;
    if (logprobs->count < most) logprobs->count++;
    for (uint32_t i = logprobs->count - 1; i > place; i--)
        logprobs->top[i] = logprobs->top[i - 1];
    logprobs->top[place] = one;
}

/* ln p = x − ln Σ eˣ, summed from the largest on. */
TokenLogprobs logprobs_of(const float *logits, uint32_t V, uint32_t token, uint32_t top) {
    TokenLogprobs logprobs = {.token = token, .known = true};
    double largest = -INFINITY, sum = 0;
    for (uint32_t v = 0; v < V; v++)
        if (logits[v] > largest) largest = logits[v];
    for (uint32_t v = 0; v < V; v++)
        sum += exp(logits[v] - largest);
    double norm = largest + log(sum);
    logprobs.logprob = (float)(logits[token] - norm);
    for (uint32_t v = 0; top && v < V; v++)
        insert(&logprobs, top, (LLMLogprob){v, (float)(logits[v] - norm)});
    return logprobs;
}

/* --- of completions --- */

static size_t characters(const char *bytes, size_t size) {
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += (bytes[i] & 0xC0) != 0x80;
    return count;
}

static void add_by_text(cJSON *object, const LLMPipeline *llm, uint32_t token, float logprob) {
    char *text = token_text(llm, token);
    if (text && !cJSON_GetObjectItemCaseSensitive(object, text))
        cJSON_AddNumberToObject(object, text, logprob_number(logprob));
    free(text);
}

static cJSON *top_by_text(const Job *job, const TokenLogprobs *place) {
    if (!place->known || !job->top) return cJSON_CreateNull();
    cJSON *object = cJSON_CreateObject();
    for (uint32_t i = 0; i < place->count; i++)
        add_by_text(object, job->llm, place->top[i].token, place->top[i].logprob);
    add_by_text(object, job->llm, place->token, place->logprob);
    return object;
}

static cJSON *lists(const Job *job, Answer *answer) {
    cJSON *object = cJSON_CreateObject();
    cJSON *tokens = cJSON_AddArrayToObject(object, "tokens");
    cJSON *logprobs = cJSON_AddArrayToObject(object, "token_logprobs");
    cJSON *top = cJSON_AddArrayToObject(object, "top_logprobs");
    cJSON *offsets = cJSON_AddArrayToObject(object, "text_offset");
    for (size_t i = 0; i < answer->count; i++) {
        const TokenLogprobs *place = &answer->tokens[i];
        char *text = token_text(job->llm, place->token);
        cJSON_AddItemToArray(tokens, cJSON_CreateString(text ? text : ""));
        free(text);
        cJSON_AddItemToArray(logprobs, place->known
                                           ? cJSON_CreateNumber(logprob_number(place->logprob))
                                           : cJSON_CreateNull());
        cJSON_AddItemToArray(top, top_by_text(job, place));
        cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)answer->offset));
        size_t size = 0;
        const char *bytes = llm_token_bytes(job->llm, place->token, &size);
        bool left_out = answer->offset == 0 && place->token == llm_info(job->llm)->begin_of_text;
        answer->offset += left_out ? 0 : characters(bytes, size);
    }
    return object;
}

/* --- of chats --- */

static cJSON *token_json(const LLMPipeline *llm, uint32_t token, float logprob) {
    cJSON *object = cJSON_CreateObject();
    char *text = token_text(llm, token);
    cJSON_AddStringToObject(object, "token", text ? text : "");
    free(text);
    cJSON_AddNumberToObject(object, "logprob", logprob_number(logprob));
    cJSON *list = cJSON_AddArrayToObject(object, "bytes");
    size_t size = 0;
    const char *bytes = llm_token_bytes(llm, token, &size);
    for (size_t i = 0; i < size; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber((unsigned char)bytes[i]));
    return object;
}

static cJSON *content(const Job *job, const Answer *answer) {
    cJSON *object = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(object, "content");
    for (size_t i = 0; i < answer->count; i++) {
        const TokenLogprobs *place = &answer->tokens[i];
        cJSON *token = token_json(job->llm, place->token, place->logprob);
        cJSON *top = cJSON_AddArrayToObject(token, "top_logprobs");
        for (uint32_t t = 0; t < place->count; t++)
            cJSON_AddItemToArray(top,
                                 token_json(job->llm, place->top[t].token, place->top[t].logprob));
        cJSON_AddItemToArray(list, token);
    }
    cJSON_AddNullToObject(object, "refusal");
    return object;
}

cJSON *logprobs_json(const Job *job, Answer *answer) {
    cJSON *json = !job->logprobs ? cJSON_CreateNull()
                  : job->chat    ? content(job, answer)
                                 : lists(job, answer);
    answer->count = 0;
    return json;
}

void add_token_ids(const Job *job, cJSON *choice, const Answer *answer) {
    if (!job->ids) return;
    cJSON *ids = cJSON_AddArrayToObject(choice, "token_ids");
    for (size_t i = 0; i < answer->count; i++)
        cJSON_AddItemToArray(ids, cJSON_CreateNumber(answer->tokens[i].token));
}
