/* run.c — print a prompt and what the model makes of it, token by token. */
#include "input.h"
#include "model.h"
#include "options.h"
#include "profile.h"
#include "text_stream.h"
#include "units.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

typedef struct Run {
    LLMPipeline *llm;
    LLMGeneration generation;
    LLMTokens tokens;
    TextStream stream;
    uint32_t wanted;
    size_t prompt;        /* tokens */
    size_t generated;     /* tokens */
    double opened, begun; /* moments: when the model is sought, when the prefill starts, … */
    double first, last;   /* … of the first and the last token */
} Run;

static volatile sig_atomic_t interrupted;

static void interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

/* The first Ctrl-C ends the text, a second one the program. */
static void catch_interrupts(void) {
    sigaction(SIGINT,
              &(struct sigaction){.sa_handler = interrupt, .sa_flags = SA_RESTART | SA_RESETHAND},
              NULL);
}

static uint64_t fresh_seed(void) {
    uint32_t seed; /* short enough to type again */
    return getentropy(&seed, sizeof seed) ? (uint64_t)getpid() : seed;
}

/* --- generation --- */

static bool write_token(void *user, uint32_t row, uint32_t token) {
    (void)row;
    Run *run = user;
    if (interrupted) return false;
    run->last = clock_seconds();
    if (run->generated++ == 0) run->first = run->last;
    size_t size = 0;
    const char *bytes = llm_token_bytes(run->llm, token, &size);
    return text_stream_write(&run->stream, bytes, size);
}

/* Prompt and continuation to standard output. */
static void generate(Run *run, const Bytes *prompt, const OptionTexts *stops, LLMError *error) {
    run->tokens = llm_encode_bytes(run->llm, prompt->data, prompt->size, 0, error);
    llm_generate(run->llm, &run->tokens, 0, &run->generation, error); /* checks, and adds nothing */
    if (error_is_set(error)) return;
    run->prompt = run->tokens.count;
    run->stream = (TextStream){.error = error};
    text_stream_write(&run->stream, prompt->data, prompt->size);
    run->stream.stops = stops->texts;
    run->stream.stop_count = stops->count;
    run->begun = clock_seconds();
    catch_interrupts();
    llm_generate(run->llm, &run->tokens, run->wanted, &run->generation, error);
    text_stream_end(&run->stream);
}

/* --- statistics --- */

static void print_end(const Run *run) {
    uint32_t context = llm_info(run->llm)->context;
    if (interrupted)
        fputs("interrupted\n", stderr);
    else if (run->stream.stopped)
        fputs("at a stop text\n", stderr);
    else if (run->tokens.count >= context)
        fprintf(stderr, "the context of %u tokens is full\n", context);
    else if (run->generated == run->wanted)
        fprintf(stderr, "after %u tokens, see -n\n", run->wanted);
    else
        fputs("end of text\n", stderr);
}

static void print_rate(const char *name, size_t tokens, double seconds) {
    fprintf(stderr, "%-8s %zu token%s in %s", name, tokens, tokens == 1 ? "" : "s",
            duration_text(seconds).text);
    if (seconds > 0) fprintf(stderr, ", %s tokens/s", number_text((double)tokens / seconds).text);
    fputc('\n', stderr);
}

static void print_statistics(const Run *run) {
    if (run->generated) {
        print_rate("prefill", run->prompt, run->first - run->begun);
        if (run->generated > 1) print_rate("decode", run->generated - 1, run->last - run->first);
        fprintf(stderr, "first    token %s after the start, %zu generated\n",
                duration_text(run->first - run->opened).text, run->generated);
    }
    if (run->generation.temperature > 0)
        fprintf(stderr, "seed     %llu\n", (unsigned long long)run->generation.seed);
    fputs("ended    ", stderr);
    print_end(run);
}

/* --- the verb --- */

/* MODEL PROMPT, or one of the two, or none. */
static void sort_arguments(const Arguments *arguments, const char **model, const char **prompt) {
    *model = NULL;
    *prompt = "";
    bool begins_with_model =
        arguments->count == 2 || (arguments->count == 1 && names_a_model(arguments->values[0]));
    if (begins_with_model) *model = arguments->values[0];
    if (arguments->count > begins_with_model) *prompt = arguments->values[begins_with_model];
}

static Bytes read_prompt(const char *prompt, LLMError *error) {
    Bytes bytes;
    if (strcmp(prompt, "-")) {
        bytes = (Bytes){strdup(prompt), strlen(prompt)};
        if (!bytes.data) error_memory(error, bytes.size);
        return bytes;
    }
    bytes = read_bytes("-", error);
    if (bytes.size && bytes.data[bytes.size - 1] == '\n') bytes.size--;
    return bytes;
}

int verb_run(Arguments *arguments) {
    Run run = {.wanted = 256, .opened = clock_seconds()};
    LLMGeneration *generation = &run.generation;
    *generation = (LLMGeneration){.size = sizeof *generation,
                                  .temperature = 0.8f,
                                  .top_k = 40,
                                  .top_p = 0.95f,
                                  .seed = fresh_seed(),
                                  .on_token = write_token,
                                  .user = &run};
    LLMOptions pipeline = LLM_OPTIONS;
    OptionTexts stops = {0};
    const Option options[] = {
        option_uint32("n", "N", &run.wanted, 1, UINT32_MAX, "most tokens to generate"),
        option_float("temp", "T", &generation->temperature, 0, 10000,
                     "temperature; 0 takes the likeliest token"),
        option_uint32("top-k", "K", &generation->top_k, 0, UINT32_MAX,
                      "choose among the K likeliest tokens; 0: all"),
        option_float("top-p", "P", &generation->top_p, 0, 1,
                     "of those, the likeliest that make up P of the probability"),
        option_uint64("seed", "S", &generation->seed,
                      "of the random choices (default: a fresh one, which is printed)"),
        option_texts("stop", "TEXT", &stops, "end before this text; may be given several times"),
        option_flag("ignore-eos", &generation->ignore_end, "go on after the end-of-text token"),
        option_flag("profile", &pipeline.profile, "time every kernel"),
    };
    int status;
    if (!options_parse(arguments, options, COUNT(options), &pipeline, &status)) return status;

    LLMError error = {0};
    const char *model, *prompt;
    sort_arguments(arguments, &model, &prompt);
    Bytes bytes = read_prompt(prompt, &error);
    run.llm = model_open(model, &pipeline, &error);
    generate(&run, &bytes, &stops, &error);
    if (!error_is_set(&error)) {
        print_statistics(&run);
        if (pipeline.profile) print_profile(run.llm);
    }
    llm_tokens_free(&run.tokens);
    llm_pipeline_close(run.llm);
    free(bytes.data);
    status = exit_status(&error);
    return status == EXIT_SUCCESS && interrupted ? EXIT_INTERRUPTED : status;
}
