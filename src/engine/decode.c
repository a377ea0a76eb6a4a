/* decode.c — prompts piece by piece, and steps of all rows that are decoded. */
#include "state.h"
#include "tokens.h"

#include <stdlib.h>

/* --- room --- */

/* Those that take part in the next step. */
static bool steps(const Request *request) {
    return request->stage == STAGE_DECODING && !request_is_done(request);
}

/* Room for the steps from `queued` on, as many as are wanted or ROOM. Rows that are done stay as
 * they are from now on. */
static bool reserve(Engine *engine, Request *request) {
    uint32_t capacity = engine->llm->run.sizes.capacity, first = request->first;
    size_t step = request->queued, count = request->count;
    size_t last = count - step < ROOM ? count - 1 : step + ROOM - 1;
    for (uint32_t b = 0; b < request->rows; b++) {
        uint32_t row = first + b, end = prefill_at_most(request->row[b].prompt + last, capacity);
        engine->ends[row] = engine->counts[row] ? end : engine->lengths[row];
    }
    request->roomy = last + 1;
    LLMError error = {0};
    if (kv_cache_reserve(&engine->llm->run.cache, first, request->rows, engine->lengths + first,
                         engine->ends + first, &error))
        return true;
    request_end(request, &error);
    return false;
}

/* When one needs room, all get it. */
static void make_room(Engine *engine) {
    bool needed = false;
    for (Request *request = engine->active; request; request = request->next)
        needed = needed || (steps(request) && request->queued >= request->roomy);
    if (!needed) return;
    rows_write_state(engine);
    for (Request *request = engine->active; request; request = request->next)
        if (steps(request)) reserve(engine, request);
}

/* Those that are done, and are still there, must not go on with the others. */
static void freeze(Engine *engine) {
    bool any = false;
    for (Request *request = engine->active; request; request = request->next) {
        if (request->stage != STAGE_DECODING || request->frozen || !request_is_done(request))
            continue;
        request->frozen = any = true;
    }
    if (any) rows_write_state(engine);
}

/* --- a step --- */

/* Up to the last that is decoded. */
static uint32_t decoded_rows(const Engine *engine) {
    uint32_t rows = 0;
    for (Request *request = engine->active; request; request = request->next)
        if (request->stage == STAGE_DECODING && request->first + request->rows > rows)
            rows = request->first + request->rows;
    return rows;
}

/* From the last tokens' ids to logits. */
static void forward(Engine *engine) {
    pipeline_decode(engine->llm, decoded_rows(engine));
}

/* From logits to the next ids, and to the state of the next step. */
static void draw(Engine *engine) {
    Samplers samplers = {0};
    for (Request *request = engine->active; request; request = request->next)
        if (request->stage == STAGE_DECODING) samplers_add(&samplers, &request->sampling);
    sample(&engine->llm->run, &samplers);
    advance_rows(&engine->llm->run);
}

/* Of some texts what may come next depends on the tokens before. */
static bool has_masks(const Engine *engine) {
    for (const Request *request = engine->active; request; request = request->next)
        if (request->stage == STAGE_DECODING && request->grammar) return true;
    return false;
}

void decode_forget_step(Engine *engine) {
    device_step_free(engine->step);
    device_step_free(engine->draws);
    engine->step = engine->draws = NULL;
    engine->stale = true;
}

/* The step is the same every time but for long contexts, so it is recorded once or twice, or in two
 * parts if the host has to do something between; when profiling, the bytes it moves are not. */
static void record_step(Engine *engine, bool masked) {
    LLMPipeline *llm = engine->llm;
    decode_forget_step(engine);
    engine->stale = false;
    engine->splits = choose_splitting(llm->run.visible);
    engine->moves = llm->run.cache.moves;
    if (llm->profile) return;
    device_record(llm->device);
    forward(engine);
    if (masked) {
        engine->step = device_record_end(llm->device);
        device_record(llm->device);
    }
    draw(engine);
    *(masked ? &engine->draws : &engine->step) = device_record_end(llm->device);
}

static uint32_t visible_tokens(const Engine *engine) {
    size_t most = 0;
    for (const Request *request = engine->active; request; request = request->next)
        for (uint32_t b = 0; request->stage == STAGE_DECODING && b < request->rows; b++)
            if (request->row[b].prompt + request->queued > most)
                most = request->row[b].prompt + request->queued;
    return prefill_at_most(most, engine->llm->run.sizes.capacity);
}

static void launch(Engine *engine, Request *only) {
    Flight flight = {device_submit(engine->llm->device), only};
    engine->flights[engine->launched++ % FLIGHTS_MOST] = flight;
}

static void write_mask(Request *request) {
    LLMError error = {0};
    if (request->grammar && !mask_write(request, &error)) request_end(request, &error);
}

/* While the device is at the logits, see what the tokens before them are, and what may follow. */
static void make_masks(Engine *engine) {
    device_submit(engine->llm->device);
    engine_lock(engine);
    decode_drain(engine);
    engine_unlock(engine);
    for (Request *request = engine->active; request; request = request->next)
        if (request->stage == STAGE_DECODING) write_mask(request);
}

static void replay(Engine *engine, DeviceStep *step, void (*queue)(Engine *engine)) {
    if (step)
        device_replay(engine->llm->device, step);
    else
        queue(engine);
}

static void queue_step(Engine *engine) {
    LLMPipeline *llm = engine->llm;
    bool masked = has_masks(engine);
    make_room(engine);
    freeze(engine);
    llm->run.visible = visible_tokens(engine);
    bool stale = engine->stale || engine->splits != choose_splitting(llm->run.visible);
    if (stale || engine->moves != llm->run.cache.moves) record_step(engine, masked);
    engine_unlock(engine);
    bool parts = masked || !engine->step;
    replay(engine, engine->step, forward);
    if (masked) make_masks(engine);
    if (parts) replay(engine, engine->draws, draw);
    launch(engine, NULL);
    engine_lock(engine);
    for (Request *request = engine->active; request; request = request->next)
        if (request->stage == STAGE_DECODING && !request->frozen) request->queued++;
}

/* --- what a step has made --- */

static void read(Engine *engine, uint64_t submission, DeviceBuffer *buffer, void *data,
                 size_t numbers) {
    size_t bytes = decoded_rows(engine) * SAMPLING_SLOTS * numbers * sizeof(uint32_t);
    device_read_after(engine->llm->device, submission, buffer, 0, data, bytes);
}

/* Of all rows at once: each has its places for the steps that are on their way. */
static void read_results(Engine *engine, uint64_t submission) {
    const Buffers *buffers = &engine->llm->run.buffers;
    bool tells = false;
    for (const Request *request = engine->active; request; request = request->next)
        tells = tells || request->sampling.told;
    read(engine, submission, buffers->drawn, engine->drawn, 1);
    if (!tells) return;
    read(engine, submission, buffers->logprob_tokens, engine->logprob_tokens, SAMPLING_TOLD_MOST);
    read(engine, submission, buffers->logprobs, engine->logprobs, SAMPLING_TOLD_MOST);
}

/* What the step `collected` (0 is the prompt's sample) has made of a row. */
static WaitingToken token_of(const Engine *engine, const Request *request, uint32_t b) {
    size_t position = request->row[b].prompt + request->collected;
    size_t slot = (request->first + b) * (size_t)SAMPLING_SLOTS + position % SAMPLING_SLOTS;
    WaitingToken token = {.id = engine->drawn[slot]};
    for (size_t i = 0; i < request->sampling.told; i++)
        token.logprobs[i] = (LLMLogprob){engine->logprob_tokens[slot * SAMPLING_TOLD_MOST + i],
                                         engine->logprobs[slot * SAMPLING_TOLD_MOST + i]};
    return token;
}

static bool arrive(Request *request, uint32_t b, const WaitingToken *token, bool whole,
                   LLMError *error) {
    if (request->arrived == request->arrival_capacity) {
        size_t capacity = 2 * request->arrival_capacity + 8;
        Arrival *larger = realloc(request->arrivals, capacity * sizeof *larger);
        if (!larger) return error_memory(error, capacity * sizeof *larger);
        request->arrivals = larger;
        request->arrival_capacity = capacity;
    }
    request->arrivals[request->arrived++] = (Arrival){b, request->collected, whole, *token};
    return true;
}

/* One row's token of a step: see whether the row goes on, as far as that does not depend on its
 * client. */
static bool accept(Request *request, uint32_t b, const WaitingToken *token, LLMError *error) {
    LLMPipeline *llm = request->llm;
    LLMTokens *text = &request->text[b];
    RequestRow *row = &request->row[b];
    if (row->ended) return true;
    if (token->id == ARGMAX_NO_TOKEN)
        return error_set(error, LLM_ERROR_NUMERIC,
                         "the logits are not numbers (NaN) after %zu token%s: %s", text->count,
                         text->count == 1 ? "" : "s", pipeline_nan_reason(llm));
    bool ends = llm_is_end(llm, token->id) && !request->generation->ignore_end, whole = false;
    if (!ends && !mask_accept(request, b, token->id, &whole, error)) return false;
    if (!arrive(request, b, token, whole, error)) return false;
    row->ended = ends;
    if (ends) return true;
    if (!tokens_append(text, token->id, error)) return false;
    row->ended = whole || text->count >= llm->run.sizes.capacity;
    return true;
}

static void accept_step(const Engine *engine, Request *request) {
    LLMError error = {0};
    bool ended = true;
    pthread_mutex_lock(&request->mutex);
    for (uint32_t b = 0; b < request->rows && !error_is_set(&error); b++) {
        WaitingToken token = token_of(engine, request, b);
        accept(request, b, &token, &error);
        ended = ended && request->row[b].ended;
    }
    request->collected++;
    pthread_mutex_unlock(&request->mutex);
    if (ended || request->collected == request->count || error_is_set(&error))
        request_end(request, &error);
    else
        pthread_cond_signal(&request->changed);
}

static bool took_part(const Request *request, const Flight *flight) {
    if (flight->only) return flight->only == request;
    return request->stage == STAGE_DECODING && request->collected < request->queued;
}

static void collect(Engine *engine) {
    Device *device = engine->llm->device;
    const Flight *flight = &engine->flights[engine->landed++ % FLIGHTS_MOST];
    engine_unlock(engine);
    device_wait(device, flight->submission);
    read_results(engine, flight->submission);
    engine_lock(engine);
    if (device_failed(device, NULL)) return;
    for (Request *request = engine->active; request; request = request->next)
        if (took_part(request, flight)) accept_step(engine, request);
}

void decode_drain(Engine *engine) {
    while (engine->landed < engine->launched)
        collect(engine);
}

/* --- prompts --- */

static bool looks_inside(const Request *request) {
    return request->inspection || request->measurement;
}

/* The one that came first; who looks inside comes after all others. */
static Request *next_prompt(const Engine *engine) {
    Request *found = NULL;
    for (Request *request = engine->active; request; request = request->next)
        if (request->stage == STAGE_PROMPT && !request->over &&
            (!found || looks_inside(found) || !looks_inside(request)))
            found = request;
    return found;
}

/* The first tokens of all its rows. */
static void sample_first(Engine *engine, Request *request) {
    Run *run = &engine->llm->run;
    write_mask(request);
    sample_alike(run, &request->sampling);
    advance_rows(run);
    launch(engine, request);
}

static void begin_decoding(Engine *engine, Request *request) {
    for (uint32_t b = 0; b < request->rows; b++)
        engine->counts[request->first + b] = 1;
    request->queued = 1;
    request->stage = STAGE_DECODING;
    engine->stale = true;
}

static bool others_decode(const Engine *engine) {
    for (const Request *request = engine->active; request; request = request->next)
        if (request->stage == STAGE_DECODING) return true;
    return false;
}

/* Of a text that is to be continued, scored, looked into or measured. */
static bool take_piece(Request *request, LLMError *error) {
    if (request->inspection) return inspect_some(request, error);
    if (request->measurement) return measure_some(request, error);
    return prefill_piece(&request->prefill, error) &&
           (request->generation || score_piece(request, request->prefill.last, error));
}

static bool has_all_pieces(const Request *request) {
    if (request->inspection) return inspect_done(request);
    if (request->measurement) return measure_done(request);
    return prefill_done(&request->prefill);
}

bool decode_prompt(Engine *engine) {
    Request *request = next_prompt(engine);
    if (!request) return false;
    LLMError error = {0};
    decode_drain(engine);
    engine_unlock(engine);
    bool generates = request->generation;
    bool going = take_piece(request, &error), done = going && has_all_pieces(request);
    if (done && generates) sample_first(engine, request);
    engine_lock(engine);
    if (done && generates) begin_decoding(engine, request);
    if (!going || (done && !generates)) request_end(request, &error);
    if (!(done && generates) && others_decode(engine)) rows_write_state(engine);
    return true;
}

/* --- steps --- */

/* How far ahead of a client that has not yet looked: it may say that it wants no more. */
static bool is_near(Request *request, uint32_t ahead) {
    pthread_mutex_lock(&request->mutex);
    bool waits = request->dealt < request->arrived;
    size_t seen = waits ? request->arrivals[request->dealt].step : request->collected;
    pthread_mutex_unlock(&request->mutex);
    return request->queued <= seen + ahead + 1;
}

static bool wants_step(const Engine *engine, uint32_t ahead) {
    for (Request *request = engine->active; request; request = request->next)
        if (steps(request) && is_near(request, ahead)) return true;
    return false;
}

bool decode_some(Engine *engine) {
    size_t flying = engine->launched - engine->landed;
    uint32_t ahead = device_run_ahead(engine->llm->device);
    if (ahead >= FLIGHTS_MOST) ahead = FLIGHTS_MOST - 1;
    if (flying <= ahead && !device_failed(engine->llm->device, NULL) && wants_step(engine, ahead))
        queue_step(engine);
    else if (flying)
        collect(engine);
    else
        return false;
    return true;
}
