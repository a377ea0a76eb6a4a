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
    LLMTokens tokens;
    TextStream stream;
    Logprobs logprobs;
    LLMEnd end;
    uint32_t flags; /* of the prompt's encoding */
    uint32_t wanted;
    size_t prompt; /* tokens */
    double opened; /* moment when the model is sought */
    Writing writing;
} Running;

/* --- generation --- */

static bool count_token(void *user, uint32_t row, uint32_t token) {
    (void)row, (void)token;
    return writing_token(&((Running *)user)->writing);
}

static bool write_text(void *user, uint32_t row, const char *bytes, size_t size) {
    (void)row;
    Running *run = user;
    return text_stream_write(&run->stream, bytes, size);
}

static void keep_logprobs(void *user, uint32_t row, const LLMLogprob *list, size_t count) {
    (void)row;
    Running *run = user;
    if (!logprobs_add(&run->logprobs, list, count)) error_memory(run->stream.error, sizeof *list);
}

/* Prompt and continuation to standard output. */
static void generate(Running *run, const Bytes *prompt, LLMError *error) {
    run->tokens = llm_encode_bytes(run->llm, prompt->data, prompt->size, run->flags, error);
    llm_generate(run->llm, &run->tokens, 0, &run->generation, error); /* checks, and adds nothing */
    if (error_is_set(error)) return;
    run->prompt = run->tokens.count;
    run->stream = text_stream_begin(error);
    text_stream_write(&run->stream, prompt->data, prompt->size);
    writing_begin(&run->writing);
    llm_generate(run->llm, &run->tokens, run->wanted, &run->generation, error);
    text_stream_end(&run->stream, "\n");
}

/* --- statistics --- */

static void print_end(const Running *run) {
    uint32_t context = llm_info(run->llm)->context;
    if (writing_interrupted())
        fputs("interrupted\n", stderr);
    else if (run->end == LLM_END_STOP)
        fputs("at a stop text\n", stderr);
    else if (run->end == LLM_END_JSON)
        fputs("the JSON is whole\n", stderr);
    else if (run->end == LLM_END_CONTEXT)
        fprintf(stderr, "the context of %u token%s is full\n", context, plural(context));
    else if (run->end == LLM_END_COUNT)
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
    size_t count = run->tokens.count, context = llm_info(run->llm)->context;
    if (count > context)
        fprintf(stderr, "shifted  %zu tokens, of which the context has the first and the last\n",
                count);
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
    if (run->generation.temperature > 0)
        fprintf(stderr, "seed     %llu\n", (unsigned long long)run->generation.seed);
    fputs("ended    ", stderr);
    print_end(run);
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
    Running run = {.wanted = 400, .opened = clock_seconds()};
    LLMGeneration *generation = &run.generation;
    Sampling sampling = sampling_begin(generation);
    generation->on_token = count_token;
    generation->on_text = write_text;
    generation->on_wait = writing_waits;
    generation->ends = &run.end;
    generation->user = &run;
    LLMOptions pipeline = LLM_OPTIONS;
    bool no_special = false, shifts = false;
    uint32_t told = 0;
    Option options[5 + SAMPLING_OPTIONS] = {
        option_uint32("n", "N", &run.wanted, 1, UINT32_MAX, "most tokens to generate"),
        option_uint32("logprobs", "N", &told, 1, LLM_LOGPROBS_MOST,
                      "print ln p of each token, and of the N likeliest in its place"),
        option_no_special(&no_special),
        option_flag("shift", &shifts,
                    "where the context is full, go on without the middle of the text"),
        option_flag("profile", &pipeline.profile, "time every kernel"),
    };
    sampling_options(&sampling, options + 5);
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
    run.llm = model_open(arguments->model, &pipeline, &error);
    generate(&run, &bytes, &error);
    if (!error_is_set(&error)) {
        if (told) logprobs_print(run.llm, &run.logprobs);
        print_statistics(&run);
        if (pipeline.profile) print_profile(run.llm);
    }
    llm_tokens_free(&run.tokens);
    logprobs_free(&run.logprobs);
    llm_pipeline_close(run.llm);
    sampling_free(&sampling);
    free(bytes.data);
    status = exit_status(&error);
    return status == EXIT_SUCCESS && writing_interrupted() ? EXIT_INTERRUPTED : status;
}
