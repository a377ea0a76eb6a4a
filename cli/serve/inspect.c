/* inspect.c — GET and POST /inspect: what happens inside the model while it reads a text. */
#include "../inspect.h"
#include "chat_model.h"
#include "inspect_kernels.h"
#include "inspect_text.h"

#include <stdlib.h>

enum {
    LIKELIEST_MOST = 20,
    SWITCHES_MOST = 1024,
    NUMBERS_MOST = 4 << 20, /* of the reply: weights, and pairs of a token and its logprob */
};

/* --- what is wanted --- */

static bool read_numbers(const cJSON *list, int count, uint32_t *numbers) {
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != count) return false;
    for (int i = 0; i < count; i++) {
        const cJSON *item = cJSON_GetArrayItem(list, i);
        double value = cJSON_IsNumber(item) ? item->valuedouble : -1;
        if (!(value >= 0 && value <= UINT32_MAX) || value != (uint32_t)value) return false;
        numbers[i] = (uint32_t)value;
    }
    return true;
}

static bool wrong_head(const Fields *fields, const char *name) {
    return problem_set(fields->problem, 400, "invalid_type", name,
                       "%s: a head is a list of its layer and its number, as [3, 5]", name);
}

static void read_heads_off(const Fields *fields, LLMHead *heads, LLMInspection *in) {
    const cJSON *list = field_find(fields, "heads_off"), *item;
    if (list && !cJSON_IsArray(list)) wrong_head(fields, "heads_off");
    cJSON_ArrayForEach(item, list) {
        uint32_t numbers[2];
        if (in->heads_off_count == SWITCHES_MOST || !read_numbers(item, 2, numbers)) {
            wrong_head(fields, "heads_off");
            return;
        }
        heads[in->heads_off_count++] = (LLMHead){numbers[0], numbers[1]};
    }
    in->heads_off = heads;
}

static void read_mlps_off(const Fields *fields, uint32_t *mlps, LLMInspection *in) {
    const cJSON *list = field_find(fields, "mlps_off");
    int count = list ? cJSON_GetArraySize(list) : 0;
    if (list && (count > SWITCHES_MOST || !read_numbers(list, count, mlps)))
        problem_set(fields->problem, 400, "invalid_type", "mlps_off",
                    "mlps_off is a list of numbers of layers");
    in->mlps_off = mlps;
    in->mlps_off_count = (size_t)count;
}

/* Where it is in the text; what no token has is left to the library to refuse. */
static void read_positions(const Fields *fields, uint32_t n, LLMInspection *in) {
    in->token = n - 1;
    in->token_count = 1;
    field_uint32(fields, "first", 0, n - 1, &in->first);
    field_uint32(fields, "token", 0, n - 1, &in->token);
    field_uint32(fields, "token_count", 1, n - in->token, &in->token_count);
}

typedef struct Asked {
    LLMHead heads[SWITCHES_MOST];
    uint32_t mlps[SWITCHES_MOST];
    uint32_t top, lens;
    bool attention, head;
} Asked;

static bool read_asked(const Fields *fields, Seen *seen, Asked *asked) {
    static const char *const known[] = {"model", "prompt",    "messages", "first", "top",
                                        "lens",  "attention", "token",    "head",  NULL};
    static const char *const also[] = {"token_count", "heads_off", "mlps_off",
                                       "chat_template_kwargs", NULL};
    LLMInspection *in = &seen->in;
    const cJSON *head = field_find(fields, "head");
    uint32_t numbers[2];
    fields_known(fields, known, also);
    read_positions(fields, (uint32_t)seen->tokens.count, in);
    field_uint32(fields, "top", 0, LIKELIEST_MOST, &asked->top);
    field_uint32(fields, "lens", 0, LIKELIEST_MOST, &asked->lens);
    field_bool(fields, "attention", &asked->attention);
    read_heads_off(fields, asked->heads, in);
    read_mlps_off(fields, asked->mlps, in);
    if (head && read_numbers(head, 2, numbers))
        in->head = (LLMHead){numbers[0], numbers[1]};
    else if (head)
        wrong_head(fields, "head");
    asked->head = head;
    return !fields->problem->status;
}

/* --- seeing --- */

static void *array(const Fields *fields, size_t count, size_t size, size_t *numbers) {
    *numbers += count;
    if (fields->problem->status) return NULL;
    if (*numbers > NUMBERS_MOST) {
        problem_set(fields->problem, 400, "reply_too_large", NULL,
                    "the reply would have more than %d numbers: ask for fewer tokens, by \"first\" "
                    "and \"token_count\"",
                    (int)NUMBERS_MOST);
        return NULL;
    }
    void *memory = calloc(count + 1, size);
    if (!memory) problem_memory(fields->problem);
    return memory;
}

/* A client that has gone is noticed. */
static bool keep_waiting(void *user) {
    Exchange *exchange = user;
    if (exchange->server->ending) return false;
    if (!exchange->client || !client_is_gone(exchange->client->socket)) return true;
    atomic_fetch_add(&exchange->server->metrics.hang_ups, 1);
    return false;
}

static bool look(const Fields *fields, Seen *seen, const Asked *asked) {
    LLMInspection *in = &seen->in;
    const LLMInfo *info = llm_info(seen->llm);
    size_t n = seen->tokens.count, m = n - in->first, numbers = 0;
    size_t heads = (size_t)info->layers * info->heads;
    LLMError error = {0};
    in->top_count = asked->top;
    in->lens_count = asked->lens;
    if (info->vocabulary < in->top_count) in->top_count = info->vocabulary;
    if (info->vocabulary < in->lens_count) in->lens_count = info->vocabulary;
    in->logprobs = array(fields, m, sizeof *in->logprobs, &numbers);
    in->log_sums = array(fields, m, sizeof *in->log_sums, &numbers);
    in->top = array(fields, m * in->top_count, sizeof *in->top, &numbers);
    if (asked->lens)
        in->lens = array(fields, info->layers * m * in->lens_count, sizeof *in->lens, &numbers);
    if (asked->attention)
        in->attention = array(fields, heads * in->token_count * n, sizeof *in->attention, &numbers);
    if (asked->head)
        in->head_attention = array(fields, n * n, sizeof *in->head_attention, &numbers);
    if (!fields->problem->status) llm_inspect(seen->llm, &seen->tokens, in, &error);
    return problem_of_error(fields->problem, &error, NULL) && !fields->problem->status;
}

static void send_seen(Exchange *exchange, const Seen *seen) {
    LLMError error = {0};
    char *json = seen_json(seen, &error);
    if (problem_of_error(&exchange->problem, &error, NULL))
        reply_text(exchange, 200, "application/json", json);
    free(json);
}

void answer_inspect(Exchange *exchange) {
    Fields fields = {&exchange->body, &exchange->problem};
    Seen seen = {.llm = exchange->server->llm, .in = LLM_INSPECTION};
    seen.in.on_wait = keep_waiting;
    seen.in.user = exchange;
    Asked *asked = calloc(1, sizeof *asked);
    if (!asked)
        problem_memory(&exchange->problem);
    else
        asked->top = 10;
    if (asked && inspect_text_read(seen.llm, &fields, &seen.tokens) &&
        read_asked(&fields, &seen, asked) && look(&fields, &seen, asked))
        send_seen(exchange, &seen);
    seen_free(&seen);
    free(asked);
}

/* --- what can be seen --- */

/* Tokens that end a text. */
static void add_ends(cJSON *json, const LLMPipeline *llm) {
    cJSON *ends = cJSON_AddArrayToObject(json, "ends");
    for (uint32_t token = 0; token < llm_info(llm)->vocabulary; token++)
        if (llm_is_end(llm, token)) cJSON_AddItemToArray(ends, cJSON_CreateNumber(token));
}

void answer_inspect_facts(Exchange *exchange) {
    LLMPipeline *llm = exchange->server->llm;
    const LLMInfo *info = llm_info(llm);
    LLMError none = {0};
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "model", exchange->server->model);
    cJSON_AddStringToObject(json, "device", info->device);
    cJSON_AddStringToObject(json, "weights", info->weights);
    cJSON_AddBoolToObject(json, "chat", chat_model_of(llm, &none) != NULL);
    cJSON_AddNumberToObject(json, "layers", info->layers);
    cJSON_AddNumberToObject(json, "heads", info->heads);
    cJSON_AddNumberToObject(json, "channels", info->channels);
    cJSON_AddNumberToObject(json, "inner", info->inner);
    cJSON_AddNumberToObject(json, "vocabulary", info->vocabulary);
    cJSON_AddNumberToObject(json, "context", info->context);
    cJSON_AddNumberToObject(json, "parameters", (double)info->parameters);
    add_ends(json, llm);
    inspect_add_file(exchange, json, "attention.metal"); /* what weights of attention come from */
    inspect_add_file(exchange, json, "softmax.metal");
    if (!exchange->problem.status) {
        reply_json(exchange, 200, json);
        return;
    }
    cJSON_Delete(json);
}
