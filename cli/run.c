/* run.c — print a prompt and what the model makes of it, token by token. */
#include "input.h"
#include "logprobs.h"
#include "model.h"
#include "options.h"
#include "print.h"
#include "profile.h"
#include "writing.h"
#include "sampling.h"
#include "text_stream.h"
#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct Running {
    LLMPipeline *llm;
    LLMGeneration generation;
    uint32_t answers;    /* to the one prompt */
    LLMTokens *tokens;   /* [answers] */
    TextStream *streams; /* [answers] */
    Logprobs *logprobs;  /* [answers] */
    LLMEnd *ends;        /* [answers] */
    uint32_t first;      /* of those that are written in one batch */
    uint32_t flags;      /* of the prompt's encoding */
    uint32_t wanted;
    size_t prompt; /* tokens */
    double opened; /* moment when the model is sought */
    Writing writing;
} Running;

static bool running_begin(Running *run, LLMError *error) {
    uint32_t answers = run->answers;
    run->tokens = calloc(answers, sizeof *run->tokens);
    run->streams = calloc(answers, sizeof *run->streams);
    run->logprobs = calloc(answers, sizeof *run->logprobs);
    run->ends = calloc(answers, sizeof *run->ends);
    return (run->tokens && run->streams && run->logprobs && run->ends) ||
           error_memory(error, answers * sizeof *run->tokens);
}

static void running_end(Running *run) {
    for (uint32_t b = 0; run->tokens && b < run->answers; b++)
        llm_tokens_free(&run->tokens[b]);
    for (uint32_t b = 0; run->logprobs && b < run->answers; b++)
        logprobs_free(&run->logprobs[b]);
    free(run->tokens);
    free(run->streams);
    free(run->logprobs);
    free(run->ends);
}

/* --- generation --- */

static bool count_token(void *user, uint32_t row, uint32_t token) {
    (void)row, (void)token;
    return writing_token(&((Running *)user)->writing);
}

static bool write_text(void *user, uint32_t row, const char *bytes, size_t size) {
    Running *run = user;
    return text_stream_write(&run->streams[run->first + row], bytes, size);
}

static void keep_logprobs(void *user, uint32_t row, const LLMLogprob *list, size_t count) {
    Running *run = user;
    uint32_t answer = run->first + row;
    if (!logprobs_add(&run->logprobs[answer], list, count))
        error_memory(run->streams[answer].error, sizeof *list);
}

/* Answers of one batch to standard output, each after the prompt: the first as it comes, the
 * others when all have ended. */
static void generate_some(Running *run, const Bytes *prompt, uint32_t count, LLMError *error) {
    LLMGeneration generation = run->generation;
    generation.seed += run->first;
    generation.ends = run->ends + run->first;
    TextStream *streams = run->streams + run->first;
    for (uint32_t b = 0; b < count; b++) {
        streams[b] = text_stream_begin(error);
        streams[b].held = b > 0;
        if (run->first + b) text_stream_write(&streams[b], "\n", 1);
        text_stream_write(&streams[b], prompt->data, prompt->size);
    }
    llm_generate_batch(run->llm, run->tokens + run->first, count, run->wanted, &generation, error);
    for (uint32_t b = 0; b < count; b++)
        text_stream_end(&streams[b], "\n");
}

/* As many in one batch as the model was opened for. */
static void generate(Running *run, const Bytes *prompt, uint32_t rows, LLMError *error) {
    for (uint32_t b = 0; b < run->answers && !error_is_set(error); b++)
        run->tokens[b] = llm_encode_bytes(run->llm, prompt->data, prompt->size, run->flags, error);
    llm_generate(run->llm, run->tokens, 0, &run->generation, error); /* checks, and adds nothing */
    if (error_is_set(error)) return;
    run->prompt = run->tokens->count;
    writing_begin(&run->writing);
    for (; run->first < run->answers && !error_is_set(error); run->first += rows) {
        uint32_t left = run->answers - run->first;
        if (!writing_interrupted()) generate_some(run, prompt, left < rows ? left : rows, error);
    }
}

/* --- statistics --- */

static void print_end(const Running *run, LLMEnd end) {
    uint32_t context = llm_info(run->llm)->context;
    if (writing_interrupted())
        fputs("interrupted\n", stderr);
    else if (end == LLM_END_STOP)
        fputs("at a stop text\n", stderr);
    else if (end == LLM_END_JSON)
        fputs("the JSON is whole\n", stderr);
    else if (end == LLM_END_CONTEXT)
        fprintf(stderr, "the context of %u token%s is full\n", context, plural(context));
    else if (end == LLM_END_COUNT)
        fprintf(stderr, "after %u token%s, see -n\n", run->wanted, plural(run->wanted));
    else
        fputs("end of text\n", stderr);
}

static void print_rate(const char *name, size_t tokens, double seconds) {
    fprintf(stderr, "%-8s %zu token%s in %s", name, tokens, plural(tokens),
            duration_text(seconds).text);
    if (seconds > 0) fprintf(stderr, ", %s tokens/s", number_text((double)tokens / seconds).text);
    fputc('\n', stderr);
}

static void print_shift(const Running *run) {
    size_t most = 0, context = llm_info(run->llm)->context;
    for (uint32_t b = 0; b < run->answers; b++)
        if (run->tokens[b].count > most) most = run->tokens[b].count;
    if (most > context)
        fprintf(stderr, "shifted  %zu tokens, of which the context has the first and the last\n",
                most);
}

static void print_seed(const Running *run) {
    unsigned long long seed = run->generation.seed;
    if (run->generation.temperature <= 0) return;
    fprintf(stderr, "seed     %llu", seed);
    if (run->answers > 1) fprintf(stderr, ", and one more for each further answer");
    fputc('\n', stderr);
}

static void print_statistics(const Running *run) {
    const Writing *writing = &run->writing;
    size_t tokens = writing->tokens;
    if (tokens) {
        print_rate("prefill", run->prompt, writing->first - writing->begun);
        if (tokens > 1) print_rate("decode", tokens - 1, writing->last - writing->first);
        fprintf(stderr, "first    token %s after the start, %zu generated\n",
                duration_text(writing->first - run->opened).text, tokens);
    }
    print_shift(run);
    print_seed(run);
    for (uint32_t b = 0; b < run->answers; b++) {
        fputs("ended    ", stderr);
        if (run->answers > 1) fprintf(stderr, "answer %u: ", b + 1);
        print_end(run, run->ends[b]);
    }
}

static void print_logprobs(const Running *run) {
    for (uint32_t b = 0; b < run->answers; b++) {
        if (run->answers > 1) fprintf(stderr, "answer %u: ", b + 1);
        logprobs_print(run->llm, &run->logprobs[b]);
    }
}

/* --- the verb --- */

/* Standard input is taken for "-", and where there is no prompt if something is piped in. */
static Bytes read_prompt(const char *prompt, LLMError *error) {
    bool is_piped = prompt ? !strcmp(prompt, "-") : stdin_is_piped();
    if (!is_piped) return copy_bytes(prompt ? prompt : "", error);
    Bytes bytes = read_bytes("-", error);
    if (bytes.size && bytes.data[bytes.size - 1] == '\n') bytes.size--;
    return bytes;
}

int verb_run(Arguments *arguments) {
    Running run = {.answers = 1, .wanted = 400, .opened = clock_seconds()};
    LLMGeneration *generation = &run.generation;
    Sampling sampling = sampling_begin(generation);
    generation->on_token = count_token;
    generation->on_text = write_text;
    generation->on_wait = writing_waits;
    generation->user = &run;
    LLMOptions pipeline = LLM_OPTIONS;
    bool no_special = false, shifts = false;
    uint32_t told = 0, rows = 0;
    Option options[7 + SAMPLING_OPTIONS] = {
        option_uint32("n", "N", &run.wanted, 1, UINT32_MAX, "most tokens to generate"),
        option_uint32("answers", "N", &run.answers, 1, 1024,
                      "answers to the prompt, each with a seed of its own"),
        option_uint32("sessions", "N", &rows, 1, 1024,
                      "answers that are generated at the same time (default: all)"),
        option_uint32("logprobs", "N", &told, 1, LLM_LOGPROBS_MOST,
                      "print ln p of each token, and of the N likeliest in its place"),
        option_no_special(&no_special),
        option_flag("shift", &shifts,
                    "where the context is full, go on without the middle of the text"),
        option_flag("profile", &pipeline.profile, "time every kernel"),
    };
    sampling_options(&sampling, options + 7);
    int status;
    if (!options_parse(arguments, options, COUNT(options), &pipeline, &status)) return status;
    LLMError error = {0};
    sampling_end(&sampling, &error);
    generation->logprobs = told;
    if (shifts) generation->shift = SIZE_MAX;
    if (told) generation->on_logprobs = keep_logprobs;

    const char *prompt = text_argument(arguments, &error);
    Bytes bytes = read_prompt(prompt, &error);
    run.flags = no_special ? LLM_PLAIN_TEXT : 0;
    if (rows == 0 || rows > run.answers) rows = run.answers;
    pipeline.sessions = rows;
    running_begin(&run, &error);
    run.llm = model_open(arguments->model, &pipeline, &error);
    generate(&run, &bytes, rows, &error);
    if (!error_is_set(&error)) {
        if (told) print_logprobs(&run);
        print_statistics(&run);
        if (pipeline.profile) print_profile(run.llm);
    }
    running_end(&run);
    llm_pipeline_close(run.llm);
    sampling_free(&sampling);
    free(bytes.data);
    status = exit_status(&error);
    return status == EXIT_SUCCESS && writing_interrupted() ? EXIT_INTERRUPTED : status;
}
