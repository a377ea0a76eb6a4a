#include "job.h"

#include "engine/call.h"
#include "generate.h"
#include "tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- new and gone --- */

static int socket_of(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

Job *job_new(Exchange *exchange, bool chat) {
    Server *server = exchange->server;
    Job *job = calloc(1, sizeof *job);
    if (!job) {
        problem_memory(&exchange->problem);
        return NULL;
    }
    job->server = server;
    job->llm = server->llm;
    job->socket = socket_of(exchange->connection);
    job->chat = chat;
    job->created = time(NULL);
    snprintf(job->id, sizeof job->id, "%s-%llx-%llx", chat ? "chatcmpl" : "cmpl",
             (unsigned long long)server->opened,
             (unsigned long long)atomic_fetch_add(&server->answers, 1));
    return job;
}

void job_free(void *user) {
    Job *job = user;
    if (!job) return;
    for (size_t i = 0; i < job->prompt_count; i++)
        llm_tokens_free(&job->prompts[i]);
    for (size_t i = 0; job->answers && i < job->count; i++) {
        free(job->answers[i].text);
        free(job->answers[i].tokens);
    }
    free(job->prompts);
    free(job->answers);
    free(job->biases);
    cJSON_free(job->schema);
    tools_free(&job->tools);
    free(job);
}

bool job_add_prompt(Job *job, LLMTokens *tokens) {
    LLMTokens *larger = realloc(job->prompts, (job->prompt_count + 1) * sizeof *larger);
    if (!larger) {
        llm_tokens_free(tokens);
        return problem_memory(&job->problem);
    }
    job->prompts = larger;
    job->prompts[job->prompt_count++] = *tokens;
    *tokens = (LLMTokens){0};
    return true;
}

static bool fits(Job *job, const LLMTokens *prompt) {
    uint32_t context = llm_info(job->llm)->context;
    if (prompt->count + (job->most > 0) <= context) return true;
    return problem_set(&job->problem, 400, "context_length_exceeded", job->source,
                       "the prompt has %zu tokens, and the context of %u has to have room for an "
                       "answer, too",
                       prompt->count, context);
}

bool job_prepare(Job *job) {
    if (job->problem.status) return false;
    for (size_t i = 0; i < job->prompt_count; i++) {
        if (!fits(job, &job->prompts[i])) return false;
        job->prompt_tokens += job->prompts[i].count;
    }
    size_t count = job->prompt_count * job->n;
    if (count > JOB_ANSWERS_MOST)
        return problem_set(&job->problem, 400, "invalid_value", "n",
                           "%zu answers are wanted, more than %d", count, JOB_ANSWERS_MOST);
    job->answers = calloc(count, sizeof *job->answers);
    if (!job->answers) return problem_memory(&job->problem);
    job->count = count;
    return true;
}

/* --- answers --- */

bool answer_add_text(Answer *answer, const char *bytes, size_t size) {
    if (answer->size + size > answer->text_capacity) {
        size_t capacity = 2 * (answer->size + size);
        char *larger = realloc(answer->text, capacity);
        if (!larger) return false;
        answer->text = larger;
        answer->text_capacity = capacity;
    }
    if (size) memcpy(answer->text + answer->size, bytes, size);
    answer->size += size;
    return true;
}

TokenLogprobs *answer_add_token(Answer *answer) {
    if (answer->count == answer->token_capacity) {
        size_t capacity = 2 * answer->token_capacity + 8;
        TokenLogprobs *larger = realloc(answer->tokens, capacity * sizeof *larger);
        if (!larger) return NULL;
        answer->tokens = larger;
        answer->token_capacity = capacity;
    }
    return &answer->tokens[answer->count++];
}

/* --- what the model draws --- */

/* Looked at after each token, and while none comes: a client that has gone is noticed. */
static bool is_wanted(Job *job) {
    if (job->server->ending) return problem_stopping(&job->problem);
    if (client_is_gone(job->socket) || (job->stream && !stream_is_wanted(job->stream)))
        job->hung_up = true;
    return !job->problem.status && !job->hung_up;
}

static bool keep_waiting(void *user) {
    return is_wanted(user);
}

static bool take_token(void *user, uint32_t row, uint32_t token) {
    (void)row, (void)token;
    Job *job = user;
    job->generated_tokens++;
    return is_wanted(job);
}

/* In OpenAI's forms the token that ends an answer is none of a chat's, but of a completion's. */
static bool is_end_of_chat(const Job *job, uint32_t token) {
    return job->chat && !job->generation.ignore_end && llm_is_end(job->llm, token);
}

static void take_logprobs(void *user, uint32_t row, const LLMLogprob *list, size_t count) {
    Job *job = user;
    if (is_end_of_chat(job, list[0].token)) return;
    TokenLogprobs *place = answer_add_token(&job->answers[job->first + row]);
    if (!place) {
        problem_memory(&job->problem);
        return;
    }
    *place = (TokenLogprobs){list[0].token, true, list[0].logprob, {{0}}, (uint32_t)count - 1};
    memcpy(place->top, list + 1, (count - 1) * sizeof *list);
}

static bool take_text(void *user, uint32_t row, const char *bytes, size_t size) {
    Job *job = user;
    size_t answer = job->first + row;
    if (!answer_add_text(&job->answers[answer], bytes, size)) return problem_memory(&job->problem);
    return !job->stream || job_send_answer(job, answer);
}

/* --- rows --- */

static bool copy_prompts(Job *job, LLMTokens *rows, uint32_t count) {
    for (uint32_t r = 0; r < count; r++) {
        const LLMTokens *prompt = &job->prompts[(job->first + r) / job->n];
        if (!tokens_reserve(&rows[r], prompt->count, &job->error)) return false;
        if (prompt->count) memcpy(rows[r].ids, prompt->ids, prompt->count * sizeof *prompt->ids);
        rows[r].count = prompt->count;
    }
    return true;
}

static void generate(Job *job, LLMTokens *rows, uint32_t count) {
    LLMEnd ends[1024] = {0}; /* as many rows as a pipeline can have */
    LLMGeneration options = job->generation;
    options.seed += job->first;
    options.ends = ends;
    GenerateUsage usage = {0};
    Call call;
    if (!call_begin(&call, job->llm, &job->error)) return;
    if (generate_check(job->llm, rows, count, &options, &job->error))
        generate_rows(job->llm, rows, count, job->most == UINT32_MAX ? SIZE_MAX : job->most,
                      &options, true, &usage, &job->error);
    call_end(&call);
    job->computed_tokens += usage.computed;
    for (uint32_t r = 0; r < count; r++)
        job->answers[job->first + r].end = ends[r];
}

/* As many rows in one batch as there are. */
static bool run_rows(Job *job) {
    size_t left = job->count - job->first;
    uint32_t most = job->server->options.parallel, count = left < most ? (uint32_t)left : most;
    LLMTokens *rows = calloc(count, sizeof *rows);
    if (!rows) return problem_memory(&job->problem);
    if (copy_prompts(job, rows, count)) generate(job, rows, count);
    for (uint32_t r = 0; r < count; r++)
        llm_tokens_free(&rows[r]);
    free(rows);
    if (!problem_of_error(&job->problem, &job->error, NULL)) return false;
    for (uint32_t r = 0; job->stream && !job->hung_up && r < count; r++)
        if (!job_send_finish(job, job->first + r)) return false;
    job->first += count;
    return true;
}

size_t job_cached_tokens(const Job *job) {
    return job->prompt_tokens > job->computed_tokens ? job->prompt_tokens - job->computed_tokens
                                                     : 0;
}

static void count_tokens(Job *job) {
    Metrics *metrics = &job->server->metrics;
    atomic_fetch_add(&metrics->prompt_tokens, job->prompt_tokens);
    atomic_fetch_add(&metrics->cached_tokens, job_cached_tokens(job));
    atomic_fetch_add(&metrics->generated_tokens, job->generated_tokens);
    if (job->hung_up) atomic_fetch_add(&metrics->hang_ups, 1);
}

bool job_run(Job *job) {
    job->generation.user = job;
    job->generation.on_token = take_token;
    job->generation.on_text = take_text;
    job->generation.on_wait = keep_waiting;
    job->generation.on_logprobs = job->logprobs || job->ids ? take_logprobs : NULL;
    bool done = !job->echo || job_echo(job);
    while (done && job->first < job->count)
        done = run_rows(job) && !job->hung_up;
    count_tokens(job);
    return done;
}

/* --- the reply --- */

static void stream_job(void *user, Stream *stream) {
    Job *job = user;
    job->stream = stream;
    if (job_send_begin(job)) job_run(job);
    job_send_end(job);
}

/* The thread that makes the answer is the connection's, or for a stream one of its own. */
void job_answer(Job *job, Exchange *exchange) {
    if (!job->streams) {
        if (job_run(job) || job->hung_up) reply_json(exchange, 200, job_reply(job));
        exchange->problem = exchange->problem.status ? exchange->problem : job->problem;
        job_free(job);
        return;
    }
    uint32_t timeout = exchange->server->options.timeout;
    exchange->stream = stream_start(stream_job, job_free, job, timeout > 30 ? 15 : timeout / 2);
    if (!exchange->stream) {
        problem_memory(&exchange->problem);
        job_free(job);
        return;
    }
    exchange->response = stream_response(exchange->stream);
    exchange->status = 200;
    if (!exchange->response) problem_memory(&exchange->problem);
}
