/* job.h — prompts that are continued for one request. */
#ifndef METAL_LLM_SERVE_JOB_H
#define METAL_LLM_SERVE_JOB_H

#include "fields.h"
#include "server.h"
#include "stream.h"
#include "tools.h"

enum {
    JOB_ANSWERS_MOST = 1024, /* prompts × answers */
    JOB_STOPS_MOST = 16,
};

/* The likeliest tokens at one place of a text. */
typedef struct TokenLogprobs {
    uint32_t token;
    bool known;    /* the first token of a prompt has none */
    float logprob; /* of `token` */
    LLMLogprob top[LLM_LOGPROBS_MOST];
    uint32_t count;
} TokenLogprobs;

/* One answer: what of it has not been sent yet. */
typedef struct Answer {
    char *text; /* [size] */
    size_t size, text_capacity;
    TokenLogprobs *tokens; /* [count] */
    size_t count, token_capacity;
    size_t offset; /* characters of the text before the first of these tokens */
    bool begun;    /* some of its text has been sent */
    bool calls;    /* it ends with calls of tools */
    LLMEnd end;
} Answer;

typedef struct Job {
    Server *server;
    LLMPipeline *llm;
    int socket;
    bool chat;
    char id[40];
    time_t created;
    /* What is asked for. */
    const char *source; /* the parameter that the prompts come from */
    LLMTokens *prompts; /* [prompt_count] */
    size_t prompt_count;
    uint32_t n;    /* answers to each */
    uint32_t most; /* tokens of an answer; UINT32_MAX: what the context holds */
    LLMGeneration generation;
    const char *stops[JOB_STOPS_MOST];
    LLMLogitBias *biases;
    char *schema; /* of the JSON that the answers are; NULL: they are texts */
    Tools tools;
    bool echo, streams, streams_usage;
    bool ids;      /* of the tokens are wanted */
    bool logprobs; /* they are wanted */
    uint32_t top;  /* and so many of the likeliest */
    /* What comes of it. */
    Answer *answers; /* [prompt_count × n], those of a prompt side by side */
    size_t count;
    size_t prompt_tokens, computed_tokens, generated_tokens;
    bool hung_up; /* nobody wants it any more */
    size_t first; /* answer of the first row that is generated now */
    LLMError error;
    Problem problem;
    Stream *stream; /* NULL: all is sent in the end */
} Job;

/* NULL and the exchange's problem if memory is out. */
Job *job_new(Exchange *exchange, bool chat);
void job_free(void *job);                         /* NULL is fine */
bool job_add_prompt(Job *job, LLMTokens *tokens); /* which are taken over */

/* What both endpoints ask for. False and job->problem if it is not to be had. */
bool job_ask(Job *job, const Fields *fields);
/* The prompt of /v1/completions, by the name that it has there, and the messages of a chat. */
bool job_read_prompt(Job *job, const Fields *fields, const char *name);
bool job_read_messages(Job *job, const Fields *fields);
/* Hold the answers to a JSON Schema, which is taken over; NULL is memory that was out. False and
 * job->problem, with the parameter that it comes from, if it is none, or not known here. */
bool job_hold_to(Job *job, char *schema, const char *parameter);
/* Choices, once there are prompts; whether all fits the context. */
bool job_prepare(Job *job);
/* The prompts themselves as the beginning of the answers, with their logprobs if these are wanted.
 */
bool job_echo(Job *job);

/* Continue the prompts. False and job->problem if that failed. */
bool job_run(Job *job);
/* Of the prompts' tokens those that had been computed before. */
size_t job_cached_tokens(const Job *job);
bool answer_add_text(Answer *answer, const char *bytes, size_t size);
TokenLogprobs *answer_add_token(Answer *answer); /* NULL if memory is out */

/* The whole reply, and an event of a stream. NULL if memory is out. */
cJSON *job_reply(Job *job);
bool job_send_begin(Job *job);
bool job_send_answer(Job *job, size_t answer); /* what it has, unless that is nothing */
bool job_send_finish(Job *job, size_t answer); /* and why it has come to its end */
void job_send_end(Job *job);

/* Of the tokens that a answer has, as the endpoint has them; null if they are not wanted. They
 * are taken out of it. */
cJSON *logprobs_json(const Job *job, Answer *answer);
/* Before that: their ids, as `token_ids` of a choice, if these are wanted. */
void add_token_ids(const Job *job, cJSON *choice, const Answer *answer);
/* From logits[V] at the place of `token`. */
TokenLogprobs logprobs_of(const float *logits, uint32_t V, uint32_t token, uint32_t top);

/* Run it, and make it the exchange's reply; takes the job over. */
void job_answer(Job *job, Exchange *exchange);

#endif
