/* generate.c — prefill a prompt, decode token by token, logits and losses of a text. */
#include "generation.h"
#include "kernel_constants.h"
#include "model/damage.h"
#include "model/pipeline.h"
#include "prefill.h"
#include "row_text.h"
#include "sized.h"
#include "tokens.h"
#include "utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Row {
    size_t prompt; /* tokens */
    RowText text;  /* what is not handed out yet */
    LLMEnd end;    /* LLM_END_NONE: it goes on */
} Row;

/* One generation: what the host keeps while the device runs ahead. */
typedef struct Generation {
    LLMPipeline *llm;
    LLMTokens *tokens; /* [rows] */
    uint32_t rows;
    const LLMGeneration *options;
    LLMError *error;
    Row *row;            /* [rows] */
    size_t appended;     /* all rows together */
    uint32_t unfinished; /* rows */
    uint32_t *lengths;   /* [3,rows] when the KV cache last got room: lengths, counts, its ends */
    size_t roomy;        /* steps before this one have room in it */
    DeviceStep *step;    /* recorded; NULL: it is not */
    uint32_t moves;      /* of the cache before it was */
} Generation;

/* Tokens that a row gets room for at a time: getting it, a device waits for the host. */
enum { ROOM = 256 };

/* --- checks --- */

bool pipeline_check_ids(const LLMPipeline *llm, const LLMTokens *tokens, LLMError *error) {
    if (!tokens || (tokens->count && !tokens->ids))
        return error_set(error, LLM_ERROR_ARGUMENT, "there are no tokens: they are NULL");
    for (size_t i = 0; i < tokens->count; i++)
        if (tokens->ids[i] >= llm->info.vocabulary)
            return error_set(error, LLM_ERROR_ARGUMENT, "token %u is not in the vocabulary of %u",
                             tokens->ids[i], llm->info.vocabulary);
    return true;
}

static bool check_tokens(const LLMPipeline *llm, const LLMTokens *tokens, LLMError *error) {
    if (!pipeline_check_ids(llm, tokens, error)) return false;
    if (tokens->count <= llm->run.sizes.capacity) return true;
    return error_set(error, LLM_ERROR_CONTEXT,
                     "the prompt has %zu tokens, more than the context of %u", tokens->count,
                     llm->run.sizes.capacity);
}

static bool begin_if_empty(const LLMPipeline *llm, LLMTokens *tokens, LLMError *error) {
    if (tokens->count) return true;
    uint32_t begin = llm->info.begin_of_text;
    if (begin >= llm->info.vocabulary) begin = llm->info.end_of_text;
    if (begin < llm->info.vocabulary) return tokens_append(tokens, begin, error);
    return error_set(error, LLM_ERROR_ARGUMENT,
                     "the prompt is empty and the model has no end-of-text token to begin with");
}

/* Each row's ids are the row's own: they grow. */
static bool check_apart(const LLMTokens *tokens, uint32_t rows, LLMError *error) {
    for (uint32_t a = 0; a < rows; a++)
        for (uint32_t b = 0; tokens[a].ids && b < a; b++)
            if (tokens[a].ids == tokens[b].ids)
                return error_set(error, LLM_ERROR_ARGUMENT,
                                 "rows %u and %u are the same list of tokens: give each row a "
                                 "copy of its own",
                                 b, a);
    return true;
}

/* --- generate --- */

const char *pipeline_nan_reason(LLMPipeline *llm) {
    char where[MAX_NAME + 16];
    const Setup *setup = &llm->run.setup;
    if (damage_find(llm->model, where, sizeof where)) {
        snprintf(llm->nan_reason, sizeof llm->nan_reason,
                 "the model's weights are damaged: one is no finite number (%s)", where);
        return llm->nan_reason;
    }
    if (setup->cache == ELEMENT_F16)
        return "its keys or values are too large for the option cache f16; use f32";
    if (llm->halved) return "its numbers are too large for the option weights f16; use stored";
    if (setup->half_products)
        return "its numbers are too large for the halves in which this device multiplies weights "
               "of f16; convert the model with --type f32";
    return "all weights are numbers, but sums of them are too large for floats; the model is none "
           "that was trained well";
}

static void finish_row(Generation *generation, uint32_t row, LLMEnd end) {
    generation->row[row].end = end;
    generation->unfinished--;
}

/* Append a row's first token that waits, and tell of it; false if the row is to stop. */
static bool hand_out_token(Generation *generation, uint32_t row) {
    const LLMGeneration *options = generation->options;
    RowText *text = &generation->row[row].text;
    WaitingToken token = text->tokens[0];
    row_text_drop_token(text);
    if (!tokens_append(&generation->tokens[row], token.id, generation->error)) return false;
    generation->appended++;
    if (options->on_logprobs)
        options->on_logprobs(options->user, row, token.logprobs,
                             1 + logprobs_told(options, generation->llm->info.vocabulary));
    return !options->on_token || options->on_token(options->user, row, token.id);
}

static bool hand_out_bytes(Generation *generation, uint32_t row, size_t size) {
    const LLMGeneration *options = generation->options;
    RowText *text = &generation->row[row].text;
    bool wanted =
        !size || !options->on_text || options->on_text(options->user, row, text->bytes, size);
    row_text_drop_bytes(text, size);
    return wanted;
}

/* The tokens that lie within the first `size` bytes that wait, and these; whole characters alone,
 * unless it is the `last` of the text. False if the row is to stop. */
static bool hand_out(Generation *generation, uint32_t row, size_t size, bool last) {
    RowText *text = &generation->row[row].text;
    bool wanted = true;
    while (wanted && text->token_count && text->tokens[0].end <= size) {
        size_t end = text->tokens[0].end;
        wanted = hand_out_token(generation, row);
        if (!wanted) size = end; /* it is the last */
    }
    bool all = last || !wanted;
    return hand_out_bytes(generation, row, all ? size : utf8_whole(text->bytes, size)) && wanted;
}

/* The row's end, with what has waited until now. */
static void end_row(Generation *generation, uint32_t row, LLMEnd end) {
    size_t size = generation->row[row].text.count;
    if (!hand_out(generation, row, size, true)) end = LLM_END_CALLBACK;
    finish_row(generation, row, end);
}

/* What is settled of the row's text goes out; then see whether the row goes on. */
static void settle_row(Generation *generation, uint32_t row) {
    const LLMGeneration *options = generation->options;
    RowText *text = &generation->row[row].text;
    bool stopped;
    size_t settled = row_text_settled(text, options->stops, options->stop_count, &stopped);
    bool wanted = hand_out(generation, row, settled, stopped);
    if (!wanted || stopped)
        finish_row(generation, row, wanted ? LLM_END_STOP : LLM_END_CALLBACK);
    else if (generation->tokens[row].count + text->token_count >=
             generation->llm->run.sizes.capacity)
        end_row(generation, row, LLM_END_CONTEXT);
}

/* One row's token of a step: take it in, hand it out, and see whether the row goes on. */
static bool accept_token(Generation *generation, uint32_t row, const WaitingToken *token) {
    LLMPipeline *llm = generation->llm;
    RowText *text = &generation->row[row].text;
    size_t known = generation->tokens[row].count + text->token_count;
    if (llm->closing)
        return error_set(generation->error, LLM_ERROR_BUSY,
                         "the model was closed while it was at work");
    if (token->id == ARGMAX_NO_TOKEN)
        return error_set(generation->error, LLM_ERROR_NUMERIC,
                         "the logits are not numbers (NaN) after %zu token%s: %s", known,
                         known == 1 ? "" : "s", pipeline_nan_reason(llm));
    if (llm_is_end(llm, token->id) && !generation->options->ignore_end) {
        end_row(generation, row, LLM_END_TOKEN);
        return true;
    }
    size_t size;
    const char *bytes = llm_token_bytes(llm, token->id, &size);
    if (!row_text_add(text, token, bytes, size, generation->error)) return false;
    settle_row(generation, row);
    return !error_is_set(generation->error);
}

static void read_logprobs(const Generation *generation, uint32_t row, size_t position,
                          uint64_t submission, WaitingToken *token) {
    LLMPipeline *llm = generation->llm;
    size_t count = 1 + logprobs_told(generation->options, llm->info.vocabulary);
    size_t slot = ((size_t)row * LOGPROBS_SLOTS + position % LOGPROBS_SLOTS) * count;
    uint32_t tokens[1 + LLM_LOGPROBS_MOST];
    float logprobs[1 + LLM_LOGPROBS_MOST];
    device_read_after(llm->device, submission, llm->run.buffers.logprob_tokens,
                      slot * sizeof *tokens, tokens, count * sizeof *tokens);
    device_read_after(llm->device, submission, llm->run.buffers.logprobs, slot * sizeof *logprobs,
                      logprobs, count * sizeof *logprobs);
    for (size_t i = 0; i < count; i++)
        token->logprobs[i] = (LLMLogprob){tokens[i], logprobs[i]};
}

/* What step `step` (0 is the prefill's sample) has made of a row, once `submission` has run. */
static void read_token(const Generation *generation, uint32_t row, size_t step, uint64_t submission,
                       WaitingToken *token) {
    LLMPipeline *llm = generation->llm;
    size_t position = generation->row[row].prompt + step;
    size_t place = row * (llm->run.sizes.capacity + (size_t)1) + position;
    *token = (WaitingToken){.id = ARGMAX_NO_TOKEN};
    device_read_after(llm->device, submission, llm->run.buffers.history, place * sizeof token->id,
                      &token->id, sizeof token->id);
    if (generation->options->on_logprobs)
        read_logprobs(generation, row, position, submission, token);
}

/* Collect a step of all rows. */
static bool collect(Generation *generation, size_t step, uint64_t submission) {
    LLMPipeline *llm = generation->llm;
    device_wait(llm->device, submission);
    for (uint32_t b = 0; b < generation->rows; b++) {
        if (generation->row[b].end) continue;
        WaitingToken token;
        read_token(generation, b, step, submission, &token);
        if (device_failed(llm->device, generation->error)) return false;
        if (!accept_token(generation, b, &token)) return false;
    }
    return true;
}

/* Rows that have all the tokens that were wanted; after an error only what they still had. */
static void end_rows(Generation *generation) {
    bool failed = error_is_set(generation->error);
    for (uint32_t b = 0; b < generation->rows; b++) {
        if (generation->row[b].end || generation->llm->closing) continue;
        end_row(generation, b, LLM_END_COUNT);
        if (failed) generation->row[b].end = LLM_END_NONE;
    }
}

/* From the last tokens' ids to the next ones and to the state of the next step. */
static void decode_step(Generation *generation) {
    pipeline_decode(generation->llm, generation->rows);
    sample(&generation->llm->run, generation->options, generation->rows);
}

/* The step is the same every time, so it is recorded once; when profiling, the bytes it moves are
 * not. */
static void record_step(Generation *generation) {
    LLMPipeline *llm = generation->llm;
    device_step_free(generation->step);
    generation->step = NULL;
    generation->moves = llm->run.cache.moves;
    if (llm->profile) return;
    device_record(llm->device);
    decode_step(generation);
    generation->step = device_record_end(llm->device);
}

/* Room for the steps from `step` on, as many as are wanted or ROOM. Rows that are done stay as they
 * are from now on. */
static bool reserve_steps(Generation *generation, size_t step, size_t count) {
    LLMPipeline *llm = generation->llm;
    uint32_t rows = generation->rows, capacity = llm->run.sizes.capacity;
    uint32_t *lengths = generation->lengths, *counts = lengths + rows, *ends = counts + rows;
    size_t last = count - step < ROOM ? count - 1 : step + ROOM - 1;
    for (uint32_t b = 0; b < rows; b++) {
        if (counts[b]) lengths[b] = prefill_at_most(generation->row[b].prompt + step - 1, capacity);
        counts[b] = !generation->row[b].end && lengths[b] < capacity;
        ends[b] =
            counts[b] ? prefill_at_most(generation->row[b].prompt + last, capacity) : lengths[b];
    }
    generation->roomy = last + 1;
    device_write(llm->run.buffers.counts, 0, counts, rows * sizeof *counts);
    return kv_cache_reserve(&llm->run.cache, rows, lengths, ends, generation->error);
}

/* What cannot get room is not queued: `error` is set then. */
static uint64_t queue_step(Generation *generation, size_t step, size_t count) {
    LLMPipeline *llm = generation->llm;
    if (step >= generation->roomy && !reserve_steps(generation, step, count)) return 0;
    if (generation->moves != llm->run.cache.moves) record_step(generation);
    if (llm->run.visible < llm->run.sizes.capacity) llm->run.visible++;
    if (generation->step)
        device_replay(llm->device, generation->step);
    else
        decode_step(generation);
    return device_submit(llm->device);
}

/* Sample the prefill's token, then decode steps 1 … count − 1; the device may be a few steps ahead
 * of what has been collected. */
static void decode(Generation *generation, size_t count) {
    LLMPipeline *llm = generation->llm;
    enum { MOST_AHEAD = LOGPROBS_SLOTS };
    sample(&llm->run, generation->options, generation->rows);
    uint64_t submissions[MOST_AHEAD] = {device_submit(llm->device)};
    uint32_t ahead = device_run_ahead(llm->device);
    if (ahead >= MOST_AHEAD) ahead = MOST_AHEAD - 1;
    if (count > 1) record_step(generation);
    size_t queued = 1, collected = 0;
    while (generation->unfinished && collected < count) {
        for (; queued < count && queued <= collected + ahead; queued++) {
            submissions[queued % MOST_AHEAD] = queue_step(generation, queued, count);
            if (error_is_set(generation->error)) break;
        }
        if (error_is_set(generation->error)) break;
        if (!collect(generation, collected, submissions[collected % MOST_AHEAD])) break;
        collected++;
    }
    device_wait(llm->device, device_submit(llm->device));
    device_step_free(generation->step);
    device_failed(llm->device, generation->error);
}

static bool check_generation(LLMPipeline *llm, LLMTokens *tokens, uint32_t rows,
                             const LLMGeneration *options, LLMError *error) {
    if (!tokens) return pipeline_check_ids(llm, tokens, error);
    if (rows == 0 || rows > llm->run.sizes.batch)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "%u rows were given; the pipeline was opened for a batch of %u", rows,
                         llm->run.sizes.batch);
    if (!generation_check(options, llm->info.vocabulary, error)) return false;
    if (!check_apart(tokens, rows, error)) return false;
    for (uint32_t b = 0; b < rows; b++)
        if (!begin_if_empty(llm, &tokens[b], error) || !check_tokens(llm, &tokens[b], error))
            return false;
    return true;
}

/* Where the samplers look back, see penalise_repeats. */
static void write_history(const Generation *generation) {
    const Run *run = &generation->llm->run;
    size_t row = (run->sizes.capacity + (size_t)1) * sizeof(uint32_t);
    for (uint32_t b = 0; b < generation->rows; b++)
        device_write(run->buffers.history, b * row, generation->tokens[b].ids,
                     generation->row[b].prompt * sizeof(uint32_t));
}

static bool write_bias(const Generation *generation) {
    const LLMGeneration *options = generation->options;
    uint32_t V = generation->llm->info.vocabulary;
    if (!options->logit_bias_count) return true;
    float *bias = generation_bias(options, V, generation->error);
    if (bias) device_write(generation->llm->run.buffers.logit_bias, 0, bias, V * sizeof *bias);
    free(bias);
    return bias;
}

static void generate(Generation *generation, size_t count) {
    LLMPipeline *llm = generation->llm;
    for (uint32_t b = 0; b < generation->rows; b++) {
        generation->row[b].prompt = generation->tokens[b].count;
        generation->lengths[generation->rows + b] = 1; /* counts */
        if (generation->tokens[b].count >= llm->run.sizes.capacity)
            finish_row(generation, b, LLM_END_CONTEXT);
    }
    size_t more = count && count <= ROOM ? count - 1 : ROOM;
    generation->roomy = more + 1;
    if (generation->unfinished && count && write_bias(generation)) {
        write_history(generation);
        if (prefill_rows(llm, generation->tokens, generation->rows, more, generation->error))
            decode(generation, count);
    }
    end_rows(generation);
}

static size_t generate_checked(LLMPipeline *llm, LLMTokens *tokens, uint32_t rows, size_t count,
                               const LLMGeneration *options, LLMError *error) {
    Generation generation = {.llm = llm,
                             .tokens = tokens,
                             .rows = rows,
                             .options = options,
                             .error = error,
                             .row = calloc(rows, sizeof(Row)),
                             .lengths = calloc(3 * (size_t)rows, sizeof(uint32_t)),
                             .unfinished = rows};
    if (generation.row && generation.lengths)
        generate(&generation, count);
    else
        error_memory(error, rows * sizeof(Row));
    for (uint32_t b = 0; generation.row && b < rows; b++) {
        if (options->ends) options->ends[b] = generation.row[b].end;
        row_text_free(&generation.row[b].text);
    }
    free(generation.row);
    free(generation.lengths);
    return generation.appended;
}

size_t llm_generate_batch(LLMPipeline *llm, LLMTokens *tokens, uint32_t rows, size_t count,
                          const LLMGeneration *given, LLMError *error) {
    LLMError ignored = {0};
    if (!error) error = &ignored;
    LLMGeneration options = LLM_GENERATION;
    if (!pipeline_enter(llm, error)) return 0;
    size_t appended = 0;
    if ((!given || sized_copy(&options, sizeof options, given, "LLMGeneration",
                              "LLM_GENERATION, or llm_generation() in Swift", error)) &&
        check_generation(llm, tokens, rows, &options, error))
        appended = generate_checked(llm, tokens, rows, count, &options, error);
    pipeline_leave(llm);
    return appended;
}

size_t llm_generate(LLMPipeline *llm, LLMTokens *tokens, size_t count, const LLMGeneration *options,
                    LLMError *error) {
    return llm_generate_batch(llm, tokens, 1, count, options, error);
}

/* --- logits and losses of a whole text --- */

typedef struct Scoring {
    LLMPipeline *llm;
    const LLMTokens *tokens;
    size_t position; /* tokens scored so far */
    float *logits;   /* [count, V], or NULL */
    float *nats;     /* [count − 1], or NULL */
    LLMError *error;
} Scoring;

static void score_losses(Scoring *scoring, uint32_t count) {
    LLMPipeline *llm = scoring->llm;
    if (scoring->position + count == scoring->tokens->count) count--; /* nothing follows the last */
    if (!count) return;
    device_write(llm->run.buffers.targets, 0, scoring->tokens->ids + scoring->position + 1,
                 count * sizeof(uint32_t));
    losses(&llm->run, count);
    device_read(llm->run.buffers.nats, 0, scoring->nats + scoring->position, count * sizeof(float));
}

static bool check_losses(const Scoring *scoring, uint32_t count) {
    for (size_t i = scoring->position; i < scoring->position + count; i++)
        if (i + 1 < scoring->tokens->count && !isfinite(scoring->nats[i]))
            return error_set(scoring->error, LLM_ERROR_NUMERIC,
                             "the loss after %zu token%s is not a number: %s", i + 1, i ? "s" : "",
                             pipeline_nan_reason(scoring->llm));
    return true;
}

static bool score_piece(void *context, uint32_t tokens) {
    Scoring *scoring = context;
    LLMPipeline *llm = scoring->llm;
    size_t V = llm->info.vocabulary;
    for (uint32_t first = 0; first < tokens; first += LOGITS_PER_PASS) {
        uint32_t count = tokens - first;
        if (count > LOGITS_PER_PASS) count = LOGITS_PER_PASS;
        pipeline_logits(llm, first, count);
        if (scoring->logits)
            device_read(llm->run.buffers.logits, 0, scoring->logits + scoring->position * V,
                        count * V * sizeof(float));
        if (scoring->nats) score_losses(scoring, count);
        if (device_failed(llm->device, scoring->error)) return false;
        if (scoring->nats && !check_losses(scoring, count)) return false;
        scoring->position += count;
    }
    return true;
}

static void score(Scoring *scoring) {
    LLMPipeline *llm = scoring->llm;
    if (!pipeline_enter(llm, scoring->error)) return;
    if (check_tokens(llm, scoring->tokens, scoring->error) && scoring->tokens->count) {
        if (scoring->logits || scoring->nats)
            prefill_text(llm, scoring->tokens, score_piece, scoring, scoring->error);
        else
            error_set(scoring->error, LLM_ERROR_ARGUMENT, "there is no array to write to");
    }
    pipeline_leave(llm);
}

void llm_logits(LLMPipeline *llm, const LLMTokens *tokens, float *logits, LLMError *error) {
    score(&(Scoring){.llm = llm, .tokens = tokens, .logits = logits, .error = error});
}

void llm_losses(LLMPipeline *llm, const LLMTokens *tokens, float *nats, LLMError *error) {
    score(&(Scoring){.llm = llm, .tokens = tokens, .nats = nats, .error = error});
}
