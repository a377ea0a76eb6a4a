/* state.h — what the engine's thread knows. */
#ifndef METAL_LLM_ENGINE_STATE_H
#define METAL_LLM_ENGINE_STATE_H

#include "engine.h"
#include "kernel_constants.h"

/* Submissions that have not been looked at: a step of all that are decoded, or the first tokens of
 * one request. */
typedef struct Flight {
    uint64_t submission;
    Request *only; /* NULL: all */
} Flight;

enum { FLIGHTS_MOST = SAMPLING_SLOTS };

struct Engine {
    LLMPipeline *llm;
    pthread_t thread;
    pthread_mutex_t mutex; /* released while the device works */
    pthread_cond_t work;
    bool stop;
    atomic_bool idle;  /* it has found nothing to do */
    Request *waiting;  /* in the order in which they came */
    Request *active;   /* those that have rows */
    Request **owner;   /* [batch] of each row, NULL: it is free */
    uint32_t *lengths; /* [batch] when the KV cache last got room, and the next two as well */
    uint32_t *counts, *ends;
    uint32_t *drawn, *logprob_tokens; /* the device's, when a step was last looked at: buffers.h */
    float *logprobs;
    Flight flights[FLIGHTS_MOST];
    size_t launched, landed; /* flights so far */
    DeviceStep *step;        /* recorded, of all rows that are decoded; NULL: it is not */
    DeviceStep *draws;       /* its end, where masks come before that; else NULL */
    bool stale;              /* it has to be recorded anew */
    uint32_t splits;         /* choose_splitting of the keys it was for */
    uint32_t moves;          /* of the cache before it was */
};

static inline void engine_lock(Engine *engine) {
    pthread_mutex_lock(&engine->mutex);
}
static inline void engine_unlock(Engine *engine) {
    pthread_mutex_unlock(&engine->mutex);
}

/* Each of these is called with the mutex held, and true if it has done something. */

/* Requests that wait get rows; those that leave give them back. */
bool rows_admit(Engine *engine);
bool rows_retire(Engine *engine);
/* Lengths and counts of all rows but those whose prompt is being taken, to the device. */
void rows_write_state(Engine *engine);

/* The next piece of a prompt, and after the last the first tokens. */
bool decode_prompt(Engine *engine);
/* Queue a step, or look at one. */
bool decode_some(Engine *engine);
/* The recorded step, which is no longer what is to be done. */
void decode_forget_step(Engine *engine);
/* Look at all that is queued. */
void decode_drain(Engine *engine);

/* No token comes any more, because of an error or, if it is LLM_OK, as it should be. */
void request_end(Request *request, const LLMError *error);
/* All that is asked of a request's rows is queued, or nothing more is wanted of them. */
static inline bool request_is_done(const Request *request) {
    bool ended = true;
    for (uint32_t b = 0; b < request->rows; b++)
        ended = ended && request->row[b].ended;
    return request->over || ended || request->queued >= request->count;
}
/* The last token of a row that the request may still come to. */
static inline uint32_t request_end_of(const Request *request, uint32_t b) {
    uint32_t capacity = request->llm->run.sizes.capacity;
    size_t prompt = request->row[b].prompt;
    if (!request->generation) return (uint32_t)prompt;
    return request->count < capacity - prompt ? (uint32_t)(prompt + request->count) : capacity;
}

/* Each row's matcher. False and `error` if memory is out. */
bool mask_begin(Request *request, LLMError *error);
void mask_free(Request *request);
/* Which tokens may come next in the rows, to the device. False and `error` if none may. */
bool mask_write(Request *request, LLMError *error);
/* A row's text goes on by a token; *whole: and has come to its end. */
bool mask_accept(Request *request, uint32_t b, uint32_t token, bool *whole, LLMError *error);

/* A piece of a text that is scored: its tokens' logits or losses go to the client's arrays. */
bool score_piece(Request *request, uint32_t tokens, LLMError *error);

#endif
