/* generate.c — continue texts: what becomes of the tokens that the engine draws. */
#include "generate.h"

#include "engine/call.h"
#include "engine/engine.h"
#include "generation.h"
#include "json_output.h"
#include "row_text.h"
#include "shift.h"
#include "sized.h"
#include "tokens.h"
#include "utf8.h"

#include <stdlib.h>

typedef struct Row {
    RowText text;    /* what is not handed out yet */
    LLMTokens all;   /* the prompt and what has been drawn, also what waits */
    size_t prompt;   /* tokens of it */
    size_t left_out; /* of the middle of `all`, by the request that is going on */
    LLMEnd end;      /* LLM_END_NONE: it goes on */
} Row;

/* One generation, on the side of the thread that asked for it. */
typedef struct Generation {
    LLMPipeline *llm;
    LLMTokens *tokens; /* [rows] */
    uint32_t rows;
    size_t count; /* tokens wanted of each row */
    const LLMGeneration *options;
    LLMError *error;
    Row *row;         /* [rows] */
    Grammar *grammar; /* of their texts; NULL: any */
    const TokenTrie *trie;
    size_t appended;       /* all rows together */
    uint32_t unfinished;   /* rows */
    LLMGeneration drawing; /* the options, with a seed of the request's own */
    Request request;
} Generation;

/* --- checks --- */

bool generate_check_tokens(const LLMPipeline *llm, const LLMTokens *tokens, LLMError *error) {
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

/* --- what arrives --- */

static void finish_row(Generation *generation, uint32_t row, LLMEnd end) {
    generation->row[row].end = end;
    generation->unfinished--;
}

static void tell_logprobs(const Generation *generation, uint32_t row, const WaitingToken *token) {
    const LLMGeneration *options = generation->options;
    if (options->on_logprobs)
        options->on_logprobs(options->user, row, token->logprobs,
                             1 + logprobs_told(options, generation->llm->info.vocabulary));
}

/* Append a row's first token that waits, and tell of it; false if the row is to stop. */
static bool hand_out_token(Generation *generation, uint32_t row) {
    const LLMGeneration *options = generation->options;
    RowText *text = &generation->row[row].text;
    WaitingToken token = text->tokens[0];
    row_text_drop_token(text);
    if (!tokens_append(&generation->tokens[row], token.id, generation->error)) return false;
    generation->appended++;
    tell_logprobs(generation, row, &token);
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

/* The context has no room for another token, nor will have. */
static bool is_full(const Generation *generation, uint32_t row) {
    size_t count = generation->row[row].all.count;
    uint32_t context = generation->llm->run.sizes.capacity;
    return count >= context && !(generation->options->shift && shift_left_out(count, context));
}

/* What is settled of the row's text goes out; then see whether the row goes on, whose JSON may be
 * `whole`. */
static void settle_row(Generation *generation, uint32_t row, bool whole) {
    const LLMGeneration *options = generation->options;
    const LLMTokens *all = &generation->row[row].all;
    RowText *text = &generation->row[row].text;
    bool stopped;
    size_t settled = row_text_settled(text, options->stops, options->stop_count, &stopped);
    bool wanted = hand_out(generation, row, settled, stopped);
    if (!wanted || stopped)
        finish_row(generation, row, wanted ? LLM_END_STOP : LLM_END_CALLBACK);
    else if (whole)
        end_row(generation, row, LLM_END_JSON);
    else if (is_full(generation, row))
        end_row(generation, row, LLM_END_CONTEXT);
    else if (all->count - generation->row[row].prompt >= generation->count)
        end_row(generation, row, LLM_END_COUNT);
}

/* One row's token of a step: take it in, hand it out, and see whether the row goes on. */
static bool accept_token(Generation *generation, uint32_t row, const WaitingToken *token,
                         bool whole) {
    LLMPipeline *llm = generation->llm;
    RowText *text = &generation->row[row].text;
    if (llm->closing)
        return error_set(generation->error, LLM_ERROR_BUSY,
                         "the model was closed while it was at work");
    if (llm_is_end(llm, token->id) && !generation->options->ignore_end) {
        end_row(generation, row, LLM_END_TOKEN);
        if (generation->row[row].end == LLM_END_TOKEN) tell_logprobs(generation, row, token);
        return true;
    }
    size_t size;
    const char *bytes = llm_token_bytes(llm, token->id, &size);
    if (!tokens_append(&generation->row[row].all, token->id, generation->error) ||
        !row_text_add(text, token, bytes, size, generation->error))
        return false;
    settle_row(generation, row, whole);
    return !error_is_set(generation->error);
}

/* Until no row goes on, or none of its tokens are left. */
static void accept_tokens(Generation *generation) {
    Arrival arrival;
    while (generation->unfinished &&
           engine_next(&generation->request, &arrival, generation->error)) {
        if (generation->row[arrival.row].end) continue;
        if (!accept_token(generation, arrival.row, &arrival.token, arrival.whole)) return;
        if (generation->row[arrival.row].end) engine_end_row(&generation->request, arrival.row);
    }
}

/* Tokens of the row that has most of them to come; 0: nothing does. */
static size_t still_wanted(const Generation *generation) {
    size_t most = 0;
    if (error_is_set(generation->error) || generation->request.unwanted) return 0;
    for (uint32_t b = 0; b < generation->rows; b++) {
        const Row *row = &generation->row[b];
        size_t wanted = row->end ? 0 : generation->count - (row->all.count - row->prompt);
        if (wanted > most) most = wanted;
    }
    return most;
}

/* Rows that have come to no end of their own; after an error only what they still had. */
static void end_rows(Generation *generation) {
    bool failed = error_is_set(generation->error);
    LLMEnd end = generation->request.unwanted ? LLM_END_CALLBACK : LLM_END_COUNT;
    for (uint32_t b = 0; b < generation->rows; b++) {
        if (generation->row[b].end || generation->llm->closing) continue;
        end_row(generation, b, end);
        if (failed) generation->row[b].end = LLM_END_NONE;
    }
}

/* --- generate --- */

bool generate_check(LLMPipeline *llm, LLMTokens *tokens, uint32_t rows,
                    const LLMGeneration *options, LLMError *error) {
    if (!tokens) return pipeline_check_ids(llm, tokens, error);
    if (rows == 0 || rows > llm->run.sizes.batch)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "%u rows were given; the pipeline was opened for a batch of %u", rows,
                         llm->run.sizes.batch);
    if (!generation_check(options, llm->info.vocabulary, error)) return false;
    if (!check_apart(tokens, rows, error)) return false;
    for (uint32_t b = 0; b < rows; b++)
        if (!begin_if_empty(llm, &tokens[b], error) ||
            !(options->shift ? pipeline_check_ids(llm, &tokens[b], error)
                             : generate_check_tokens(llm, &tokens[b], error)))
            return false;
    return true;
}

static bool begin_rows(Generation *generation) {
    for (uint32_t b = 0; b < generation->rows; b++) {
        const LLMTokens *prompt = &generation->tokens[b];
        Row *row = &generation->row[b];
        if (!shift_append(&row->all, prompt, 0, 0, generation->error)) return false;
        row->prompt = prompt->count;
        if (is_full(generation, b)) finish_row(generation, b, LLM_END_CONTEXT);
    }
    return true;
}

/* What the engine sees of a row's text: of one that has ended, a token. */
static bool see_row(Generation *generation, uint32_t b, LLMTokens *seen) {
    Row *row = &generation->row[b];
    size_t wanted = generation->options->shift;
    uint32_t context = generation->llm->run.sizes.capacity;
    if (row->end) return tokens_append(seen, row->all.ids[0], generation->error);
    row->left_out = wanted ? shift_left_out(row->all.count, context) : 0;
    size_t kept = row->left_out ? shift_kept(wanted, context) : 0;
    return shift_append(seen, &row->all, kept, row->left_out, generation->error);
}

/* A position in the context may come again: it is not to draw the same number then. */
static uint64_t seed_of(const Generation *generation) {
    size_t most = 0;
    for (uint32_t b = 0; b < generation->rows; b++)
        if (generation->row[b].left_out > most) most = generation->row[b].left_out;
    return generation->options->seed + most * UINT64_C(0x9E3779B97F4A7C15);
}

/* Texts that begin as `seen`, and JSON that was begun as `written`, both [rows] and empty. */
static bool submit(Generation *generation, size_t wanted, bool keeps, LLMTokens *seen,
                   LLMTokens *written) {
    for (uint32_t b = 0; b < generation->rows; b++) {
        const Row *row = &generation->row[b];
        if (!see_row(generation, b, &seen[b])) return false;
        written[b] =
            (LLMTokens){.ids = row->all.ids + row->prompt, .count = row->all.count - row->prompt};
    }
    generation->drawing = *generation->options;
    generation->drawing.seed = seed_of(generation);
    generation->request = (Request){.llm = generation->llm,
                                    .texts = seen,
                                    .rows = generation->rows,
                                    .count = wanted,
                                    .generation = &generation->drawing,
                                    .on_wait = generation->options->on_wait,
                                    .user = generation->options->user,
                                    .grammar = generation->grammar,
                                    .trie = generation->trie,
                                    .written = written,
                                    .keeps = keeps};
    if (!engine_submit(&generation->request, generation->error)) return false;
    for (uint32_t b = 0; b < generation->rows; b++)
        if (generation->row[b].end) engine_end_row(&generation->request, b);
    return true;
}

static bool begin_request(Generation *generation, size_t wanted, bool keeps) {
    LLMTokens *lists = calloc(2 * (size_t)generation->rows, sizeof *lists);
    if (!lists) return error_memory(generation->error, 2 * generation->rows * sizeof *lists);
    bool done = submit(generation, wanted, keeps, lists, lists + generation->rows);
    for (uint32_t b = 0; b < generation->rows; b++)
        llm_tokens_free(&lists[b]);
    free(lists);
    return done;
}

static void finish_request(Generation *generation, GenerateUsage *usage) {
    Request *request = &generation->request;
    for (uint32_t b = 0; b < generation->rows; b++)
        request->row[b].kept = generation->tokens[b].count - generation->row[b].left_out;
    engine_finish(request, generation->error);
    usage->computed += request->computed;
    usage->cached += request->cached;
    usage->left_out = generation->row->left_out;
}

/* One request, or where the context is shifted, one after the other. */
static void generate(Generation *generation, bool keeps, GenerateUsage *usage) {
    size_t wanted;
    if (!begin_rows(generation)) return;
    do {
        wanted = still_wanted(generation);
        bool submitted = wanted && begin_request(generation, wanted, keeps);
        if (submitted) accept_tokens(generation);
        wanted = still_wanted(generation);
        if (!wanted) end_rows(generation);
        if (submitted) finish_request(generation, usage);
    } while (wanted);
}

/* What the texts have to be. */
static bool take_schema(Generation *generation) {
    const char *schema = generation->options->json_schema;
    if (!schema) return true;
    generation->grammar = grammar_new(schema, generation->error);
    if (generation->grammar) generation->trie = json_trie_of(generation->llm, generation->error);
    return generation->trie;
}

size_t generate_rows(LLMPipeline *llm, LLMTokens *tokens, uint32_t rows, size_t count,
                     const LLMGeneration *options, bool keeps, GenerateUsage *usage,
                     LLMError *error) {
    Generation generation = {.llm = llm,
                             .tokens = tokens,
                             .rows = rows,
                             .count = count,
                             .options = options,
                             .error = error,
                             .row = calloc(rows, sizeof(Row)),
                             .unfinished = rows};
    *usage = (GenerateUsage){0};
    if (!generation.row)
        error_memory(error, rows * sizeof(Row));
    else if (take_schema(&generation))
        generate(&generation, keeps, usage);
    for (uint32_t b = 0; generation.row && b < rows; b++) {
        if (options->ends) options->ends[b] = generation.row[b].end;
        row_text_free(&generation.row[b].text);
        llm_tokens_free(&generation.row[b].all);
    }
    free(generation.row);
    grammar_free(generation.grammar);
    return generation.appended;
}

bool generate_options(LLMGeneration *options, const LLMGeneration *given, LLMError *error) {
    *options = llm_generation();
    return !given || sized_copy(options, sizeof *options, given, "LLMGeneration",
                                "LLM_GENERATION, or llm_generation() in Swift", error);
}

size_t llm_generate_batch(LLMPipeline *llm, LLMTokens *tokens, uint32_t rows, size_t count,
                          const LLMGeneration *given, LLMError *error) {
    LLMError ignored = {0};
    if (!error) error = &ignored;
    LLMGeneration options;
    GenerateUsage usage;
    Call call;
    if (!call_begin(&call, llm, error)) return 0;
    size_t appended = 0;
    if (generate_options(&options, given, error) &&
        generate_check(llm, tokens, rows, &options, error))
        appended = generate_rows(llm, tokens, rows, count, &options, false, &usage, error);
    call_end(&call);
    return appended;
}

size_t llm_generate(LLMPipeline *llm, LLMTokens *tokens, size_t count, const LLMGeneration *options,
                    LLMError *error) {
    return llm_generate_batch(llm, tokens, 1, count, options, error);
}
