/* rows.c — who has which rows of the batch. */
#include "ops/beginnings.h"
#include "state.h"

static uint32_t batch(const Engine *engine) {
    return engine->llm->run.sizes.batch;
}

/* --- the device's view --- */

/* Where the row is when all that is queued has run, and whether it goes on. */
static void settle_row(Engine *engine, const Request *request, uint32_t b) {
    uint32_t row = request->first + b, capacity = engine->llm->run.sizes.capacity;
    size_t length = request->row[b].prompt + request->queued - 1;
    if (engine->counts[row]) engine->lengths[row] = prefill_at_most(length, capacity);
    engine->counts[row] = engine->counts[row] && !request->row[b].ended && !request->frozen &&
                          engine->lengths[row] < capacity;
}

void rows_write_state(Engine *engine) {
    const Buffers *buffers = &engine->llm->run.buffers;
    size_t bytes = batch(engine) * sizeof(uint32_t);
    for (const Request *request = engine->active; request; request = request->next)
        for (uint32_t b = 0; request->stage == STAGE_DECODING && b < request->rows; b++)
            settle_row(engine, request, b);
    device_write(buffers->lengths, 0, engine->lengths, bytes);
    device_write(buffers->counts, 0, engine->counts, bytes);
}

/* What the samplers are to know: where they look back, see penalise_repeats; what is asked for. */
static void write_texts(Engine *engine, const Request *request) {
    Run *run = &engine->llm->run;
    size_t history = (run->sizes.capacity + (size_t)1) * sizeof(uint32_t);
    size_t vocabulary = run->sizes.vocabulary * sizeof(float);
    for (uint32_t b = 0; b < request->rows; b++) {
        device_write(run->buffers.history, (request->first + b) * history, request->text[b].ids,
                     request->text[b].count * sizeof(uint32_t));
        if (request->bias)
            device_write(run->buffers.logit_bias, (request->first + b) * vocabulary, request->bias,
                         vocabulary);
    }
    write_sampling(run, request->first, request->rows, &request->sampling);
}

/* --- coming --- */

/* This many adjacent free rows, or `batch` of them if there are not. */
static uint32_t find_rows(const Engine *engine, uint32_t rows) {
    uint32_t unused = 0, most = batch(engine);
    for (uint32_t row = 0; row < most; row++) {
        unused = engine->owner[row] ? 0 : unused + 1;
        if (unused == rows) return row + 1 - rows;
    }
    return most;
}

static PageNeed need_of(const Request *request) {
    const KvCache *cache = &request->llm->run.cache;
    PageNeed need = {0, 0};
    for (uint32_t b = 0; b < request->rows; b++) {
        PageNeed row = kv_cache_need(cache, request_end_of(request, b));
        need.global += row.global;
        need.windowed += row.windowed;
    }
    return need;
}

/* With what is promised to those that are there. */
static bool has_memory(const Engine *engine, const Request *request) {
    PageNeed need = need_of(request);
    for (const Request *other = engine->active; other; other = other->next) {
        PageNeed more = need_of(other);
        need.global += more.global;
        need.windowed += more.windowed;
    }
    return kv_cache_holds(&engine->llm->run.cache, need);
}

/* One that does not fit if it is alone never will. */
static bool can_ever_fit(const Engine *engine, Request *request) {
    const KvCache *cache = &engine->llm->run.cache;
    if (kv_cache_holds(cache, need_of(request))) return true;
    LLMError error = {0};
    error_set(&error, LLM_ERROR_MEMORY,
              "%u row%s with up to %u tokens need more than the cache memory that the model was "
              "opened with: ask for fewer tokens, or give it more",
              request->rows, request->rows == 1 ? "" : "s", request_end_of(request, 0));
    request_end(request, &error);
    return false;
}

/* What another text began with, in all rows. */
static void take_beginning(Engine *engine, Request *request) {
    KvCache *cache = &engine->llm->run.cache;
    size_t most = prefill_alike(request->text, request->rows);
    if (!request->generation || most == 0) return;
    uint32_t known = beginnings_take(cache, request->first, request->text->ids, (uint32_t)most);
    for (uint32_t b = 1; known && b < request->rows; b++)
        kv_cache_fork(cache, request->first, request->first + b, known);
    request->prefill.known = known;
    request->cached = (size_t)known * request->rows;
}

/* A step that is measured takes the likeliest token. */
static RowSampling sampling_wanted(const Request *request) {
    const Run *run = &request->llm->run;
    if (request->generation) return sampling_of(run, request->generation);
    return request->measurement ? sampling_of(run, &(LLMGeneration){0}) : (RowSampling){0};
}

static void enter(Engine *engine, Request *request) {
    LLMError error = {0};
    size_t more = request->count && request->count <= ROOM ? request->count - 1 : ROOM;
    for (uint32_t b = 0; b < request->rows; b++)
        engine->owner[request->first + b] = request;
    request->stage = STAGE_PROMPT;
    request->roomy = more + 1;
    request->prefill = (Prefill){.llm = request->llm,
                                 .texts = request->text,
                                 .first = request->first,
                                 .rows = request->rows,
                                 .more = request->generation ? more : 0,
                                 .all = !request->generation && !request->measurement,
                                 .most = request->inspection ? INSPECT_TOKENS : 0};
    take_beginning(engine, request);
    request->sampling = sampling_wanted(request);
    write_texts(engine, request);
    if (!prefill_begin(&request->prefill, &error)) request_end(request, &error);
}

bool rows_admit(Engine *engine) {
    Request *request = engine->waiting;
    if (!request || request->over) return false;
    if (!can_ever_fit(engine, request)) return true;
    uint32_t first = find_rows(engine, request->rows);
    if (first == batch(engine) || !has_memory(engine, request)) return false;
    engine->waiting = request->next;
    request->next = engine->active;
    engine->active = request;
    request->first = first;
    enter(engine, request);
    return true;
}

/* --- going --- */

static Request *unlink_leaving(Request **list) {
    for (; *list; list = &(*list)->next) {
        Request *request = *list;
        if (!request->leaving) continue;
        *list = request->next;
        return request;
    }
    return NULL;
}

static void give_back_row(Engine *engine, Request *request, uint32_t b) {
    KvCache *cache = &engine->llm->run.cache;
    uint32_t row = request->first + b;
    size_t computed = request->row[b].prompt + request->queued - 1, kept = request->row[b].kept;
    bool whole = request->stage == STAGE_DECODING && !error_is_set(&request->error);
    if (whole && request->keeps)
        beginnings_keep(cache, row, request->text[b].ids,
                        (uint32_t)(kept < computed ? kept : computed));
    kv_cache_release(cache, row);
    write_sampling(&request->llm->run, row, 1, NULL);
    engine->owner[row] = NULL;
    engine->lengths[row] = engine->counts[row] = 0;
}

/* A row that is decoded moves to the first free place below it, so that no step computes rows that
 * are not there. */
static bool move_down(Engine *engine, Request *request) {
    KvCache *cache = &engine->llm->run.cache;
    uint32_t from = request->first, to = find_rows(engine, 1);
    if (to > from || request->rows != 1 || request->stage != STAGE_DECODING) return false;
    rows_write_state(engine);
    kv_cache_fork(cache, from, to, engine->lengths[from]);
    kv_cache_release(cache, from);
    write_sampling(&engine->llm->run, from, 1, NULL);
    engine->owner[to] = request;
    engine->owner[from] = NULL;
    engine->lengths[to] = engine->lengths[from];
    engine->counts[to] = engine->counts[from];
    engine->lengths[from] = engine->counts[from] = 0;
    request->first = to;
    request->roomy = 0;
    write_texts(engine, request);
    const LLMTokens *text = request->text;
    device_write(engine->llm->run.buffers.ids, to * sizeof(uint32_t), &text->ids[text->count - 1],
                 sizeof(uint32_t));
    return true;
}

/* From the last row on. */
static void close_ranks(Engine *engine) {
    for (uint32_t row = batch(engine); row-- > 0;)
        if (engine->owner[row] && !move_down(engine, engine->owner[row])) return;
}

bool rows_retire(Engine *engine) {
    Request *request = unlink_leaving(&engine->waiting);
    if (!request) {
        bool any = false;
        for (request = engine->active; request && !any; request = request->next)
            any = request->leaving;
        if (!any) return false;
        decode_drain(engine);
        request = unlink_leaving(&engine->active);
        if (request->inspection) inspect_release(request);
        for (uint32_t b = 0; b < request->rows; b++)
            give_back_row(engine, request, b);
        decode_forget_step(engine);
        if (engine->active) close_ranks(engine);
        if (engine->active) rows_write_state(engine);
    }
    request->computed = request->prefill.computed;
    pthread_mutex_lock(&request->mutex);
    request->gone = true;
    pthread_cond_signal(&request->changed);
    pthread_mutex_unlock(&request->mutex); /* its client frees it */
    return true;
}
