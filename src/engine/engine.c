/* engine.c — the thread, and what its clients ask of it. */
#include "engine.h"

#include "generation.h"
#include "state.h"
#include "tokens.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- the thread --- */

void request_end(Request *request, const LLMError *error) {
    pthread_mutex_lock(&request->mutex);
    if (!request->over && error && error_is_set(error)) request->error = *error;
    request->over = true;
    pthread_mutex_unlock(&request->mutex);
    pthread_cond_signal(&request->changed);
}

/* All that are here. */
static void end_all(Engine *engine, const LLMError *error) {
    for (Request *request = engine->active; request; request = request->next)
        request_end(request, error);
    for (Request *request = engine->waiting; request; request = request->next)
        request_end(request, error);
}

/* A device that has failed does nothing any more. */
static void end_if_failed(Engine *engine) {
    LLMError error = {0};
    if (engine->llm->closing)
        error_set(&error, LLM_ERROR_BUSY, "the model was closed while it was at work");
    device_failed(engine->llm->device, &error);
    if (error_is_set(&error)) end_all(engine, &error);
}

/* A piece of a prompt and a step in turn: nobody waits for more than one piece of another's. */
static bool do_some_work(Engine *engine) {
    end_if_failed(engine);
    if (rows_retire(engine) || rows_admit(engine)) return true;
    bool worked = decode_prompt(engine);
    return decode_some(engine) || worked;
}

static void *run_engine(void *argument) {
    Engine *engine = argument;
    engine_lock(engine);
    while (!engine->stop) {
        bool worked = do_some_work(engine);
        if (!worked && engine->idle) pthread_cond_wait(&engine->work, &engine->mutex);
        engine->idle = !worked; /* those who have seen otherwise have changed nothing since */
    }
    engine_unlock(engine);
    return NULL;
}

/* --- its beginning and its end --- */

static void free_parts(Engine *engine, bool is_ours) {
    free(engine->owner);
    free(engine->lengths);
    free(engine->drawn);
    if (is_ours) {
        pthread_cond_destroy(&engine->work);
        pthread_mutex_destroy(&engine->mutex);
    }
    free(engine);
}

/* Signals are for the threads of the program. */
static bool start_thread(Engine *engine, LLMError *error) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int reason = pthread_create(&engine->thread, NULL, run_engine, engine);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reason == 0 || error_set(error, LLM_ERROR_MEMORY,
                                    "there is no memory for another thread, or too many are there");
}

static Engine *engine_new(LLMPipeline *llm, LLMError *error) {
    size_t rows = llm->run.sizes.batch, slots = rows * SAMPLING_SLOTS;
    Engine *engine = calloc(1, sizeof *engine);
    if (!engine) return error_memory(error, sizeof *engine);
    *engine = (Engine){.llm = llm,
                       .owner = calloc(rows, sizeof *engine->owner),
                       .lengths = calloc(3 * rows, sizeof *engine->lengths),
                       .drawn = calloc(slots * (1 + 2 * SAMPLING_TOLD_MOST), sizeof(uint32_t))};
    pthread_mutex_init(&engine->mutex, NULL);
    pthread_cond_init(&engine->work, NULL);
    bool whole = engine->owner && engine->lengths && engine->drawn;
    if (!whole) error_memory(error, slots * 2 * SAMPLING_TOLD_MOST * sizeof(uint32_t));
    if (whole) {
        const Buffers *buffers = &llm->run.buffers;
        engine->counts = engine->lengths + rows;
        engine->ends = engine->counts + rows;
        engine->logprob_tokens = engine->drawn + slots;
        engine->logprobs = (float *)(engine->logprob_tokens + slots * SAMPLING_TOLD_MOST);
        write_sampling(&llm->run, 0, (uint32_t)rows, NULL);
        device_write(buffers->ids, 0, engine->counts, rows * sizeof(uint32_t));
        rows_write_state(engine);
    }
    if (whole && start_thread(engine, error)) return engine;
    free_parts(engine, true);
    return NULL;
}

/* Started by the first who needs it. */
static Engine *engine_of(LLMPipeline *llm, LLMError *error) {
    static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&starting);
    if (!llm->engine) llm->engine = engine_new(llm, error);
    Engine *engine = llm->engine;
    pthread_mutex_unlock(&starting);
    return engine;
}

static void wake(Engine *engine) {
    engine_lock(engine);
    pthread_cond_signal(&engine->work);
    engine_unlock(engine);
}

void engine_wake(LLMPipeline *llm) {
    if (llm->engine && llm->owner == getpid()) wake(llm->engine);
}

void engine_free(LLMPipeline *llm) {
    Engine *engine = llm->engine;
    if (!engine) return;
    bool is_ours = llm->owner == getpid();
    if (is_ours) { /* a forked child has no such thread, nor what it waits for */
        engine_lock(engine);
        engine->stop = true;
        pthread_cond_signal(&engine->work);
        engine_unlock(engine);
        pthread_join(engine->thread, NULL);
    }
    free_parts(engine, is_ours);
}

/* --- requests --- */

static void free_request(Request *request) {
    for (uint32_t b = 0; request->text && b < request->rows; b++)
        llm_tokens_free(&request->text[b]);
    free(request->text);
    free(request->row);
    free(request->arrivals);
    free(request->bias);
    mask_free(request);
    prefill_free(&request->prefill);
}

static bool copy_texts(Request *request, LLMError *error) {
    request->text = calloc(request->rows, sizeof *request->text);
    request->row = calloc(request->rows, sizeof *request->row);
    if (!request->text || !request->row)
        return error_memory(error, request->rows * sizeof *request->text);
    for (uint32_t b = 0; b < request->rows; b++) {
        size_t count = request->row[b].prompt = request->texts[b].count;
        if (!tokens_reserve(&request->text[b], count, error)) return false;
        memcpy(request->text[b].ids, request->texts[b].ids, count * sizeof(uint32_t));
        request->text[b].count = count;
        request->row[b].ended = count >= request->llm->run.sizes.capacity;
    }
    return true;
}

static bool copy_bias(Request *request, LLMError *error) {
    const LLMGeneration *generation = request->generation;
    if (!generation || !generation->logit_bias_count) return true;
    request->bias = generation_bias(generation, request->llm->info.vocabulary, error);
    return request->bias;
}

bool engine_submit(Request *request, LLMError *error) {
    Engine *engine = engine_of(request->llm, error);
    if (!engine) return false;
    if (!copy_texts(request, error) || !copy_bias(request, error) || !mask_begin(request, error)) {
        free_request(request);
        return false;
    }
    pthread_mutex_init(&request->mutex, NULL);
    pthread_cond_init(&request->changed, NULL);
    engine_lock(engine);
    Request **end = &engine->waiting;
    while (*end)
        end = &(*end)->next;
    *end = request;
    pthread_cond_signal(&engine->work);
    engine_unlock(engine);
    return true;
}

enum { PATIENCE = 100 }; /* milliseconds between two calls of on_wait */

/* Until something may have changed. The mutex is released while the client is asked. */
static void wait_for_change(Request *request) {
    if (!request->on_wait) {
        pthread_cond_wait(&request->changed, &request->mutex);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += PATIENCE * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (!pthread_cond_timedwait(&request->changed, &request->mutex, &until)) return;
    pthread_mutex_unlock(&request->mutex);
    bool wanted = request->on_wait(request->user);
    pthread_mutex_lock(&request->mutex);
    request->unwanted = !wanted;
}

/* The token that was handed out has been dealt with: the engine may have waited for that. */
static void deal(Request *request) {
    Engine *engine = request->llm->engine;
    pthread_mutex_lock(&request->mutex);
    request->dealt = request->handed;
    if (request->dealt == request->arrived) /* an empty list begins anew */
        request->dealt = request->handed = request->arrived = 0;
    pthread_mutex_unlock(&request->mutex);
    if (engine->idle) wake(engine);
}

bool engine_next(Request *request, Arrival *arrival, LLMError *error) {
    deal(request);
    pthread_mutex_lock(&request->mutex);
    while (request->handed == request->arrived && !request->over && !request->unwanted)
        wait_for_change(request);
    bool has = request->handed < request->arrived;
    if (has) *arrival = request->arrivals[request->handed++];
    if (!has && error_is_set(&request->error))
        error_set(error, request->error.status, "%s", request->error.message);
    pthread_mutex_unlock(&request->mutex);
    return has;
}

void engine_end_row(Request *request, uint32_t row) {
    request->row[row].ended = true;
}

bool engine_finish(Request *request, LLMError *error) {
    Engine *engine = request->llm->engine;
    engine_lock(engine);
    request->leaving = true;
    pthread_cond_signal(&engine->work);
    engine_unlock(engine);
    pthread_mutex_lock(&request->mutex);
    while (!request->gone)
        pthread_cond_wait(&request->changed, &request->mutex);
    pthread_mutex_unlock(&request->mutex);
    bool failed = error_is_set(&request->error);
    if (failed) error_set(error, request->error.status, "%s", request->error.message);
    pthread_cond_destroy(&request->changed);
    pthread_mutex_destroy(&request->mutex);
    free_request(request);
    return !failed;
}
