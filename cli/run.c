/* run.c — print a prompt and what the model makes of it, token by token. */
#include "input.h"
#include "logprobs.h"
#include "model.h"
#include "options.h"
#include "print.h"
#include "profile.h"
#include "text_stream.h"
#include "units.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
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
    size_t prompt;        /* tokens */
    size_t generated;     /* tokens */
    double opened, begun; /* moments: when the model is sought, when the prefill starts, … */
    double first, last;   /* … of the first and the last token */
} Running;

static volatile sig_atomic_t interrupted;

static void interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

/* The first Ctrl-C ends the text, a second one the program; where the parent has it ignored, as
 * nohup does, none. */
static void catch_interrupts(void) {
    struct sigaction before;
    if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler == SIG_IGN) return;
    sigaction(SIGINT,
              &(struct sigaction){.sa_handler = interrupt, .sa_flags = SA_RESTART | SA_RESETHAND},
              NULL);
}

static uint64_t fresh_seed(void) {
    uint32_t seed; /* short enough to type again */
    return getentropy(&seed, sizeof seed) ? (uint64_t)getpid() : seed;
}

/* --- generation --- */

static bool count_token(void *user, uint32_t row, uint32_t token) {
    (void)row, (void)token;
    Running *run = user;
    if (interrupted) return false;
    run->last = clock_seconds();
    if (run->generated++ == 0) run->first = run->last;
    return true;
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
    run->begun = clock_seconds();
    catch_interrupts();
    llm_generate(run->llm, &run->tokens, run->wanted, &run->generation, error);
    text_stream_end(&run->stream, "\n");
}

/* --- statistics --- */

static void print_end(const Running *run) {
    uint32_t context = llm_info(run->llm)->context;
    if (interrupted)
        fputs("interrupted\n", stderr);
    else if (run->end == LLM_END_STOP)
        fputs("at a stop text\n", stderr);
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

static void print_statistics(const Running *run) {
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

/* For the library 0 is the default, and what is recent starts with the last token. */
static void choose_window(LLMGeneration *generation, uint32_t last) {
    generation->penalty_window = last;
    if (last > 0) return;
    generation->repetition_penalty = 1;
    generation->presence_penalty = generation->frequency_penalty = 0;
}

/* Standard input is taken for "-", and where there is no prompt if something is piped in. */
static Bytes read_prompt(const char *prompt, LLMError *error) {
    bool is_piped = prompt ? !strcmp(prompt, "-") : stdin_is_piped();
    if (!is_piped) return copy_bytes(prompt ? prompt : "", error);
    Bytes bytes = read_bytes("-", error);
    if (bytes.size && bytes.data[bytes.size - 1] == '\n') bytes.size--;
    return bytes;
}

int verb_run(Arguments *arguments) {
    Running run = {.wanted = 256, .opened = clock_seconds()};
    LLMGeneration *generation = &run.generation;
    *generation = (LLMGeneration){.size = sizeof *generation,
                                  .temperature = 0.8f,
                                  .top_k = 40,
                                  .top_p = 0.95f,
                                  .repetition_penalty = 1,
                                  .seed = fresh_seed(),
                                  .on_token = count_token,
                                  .on_text = write_text,
                                  .ends = &run.end,
                                  .user = &run};
    LLMOptions pipeline = LLM_OPTIONS;
    bool no_special = false;
    uint32_t last = 64, told = 0;
    OptionTexts stops = {0};
    OptionBiases biases = {0};
    const Option options[] = {
        option_uint32("n", "N", &run.wanted, 1, UINT32_MAX, "most tokens to generate"),
        option_float("temp", "T", &generation->temperature, 0, 10000,
                     "temperature; 0 takes the likeliest token"),
        option_uint32("top-k", "K", &generation->top_k, 0, UINT32_MAX,
                      "choose among the K likeliest tokens; 0: all"),
        option_float("top-p", "P", &generation->top_p, 0, 1,
                     "of those, the likeliest that make up P of the probability; 0: one"),
        option_float("min-p", "P", &generation->min_p, 0, 1,
                     "of those, the ones at least P times as likely as the likeliest; 0: all"),
        option_float("typical", "P", &generation->typical_p, 0, 1,
                     "behind top-k, the most typical that make up P of the probability; 0: all"),
        option_float("repeat-penalty", "X", &generation->repetition_penalty, 0.01, 100,
                     "make recent tokens X times less likely in their logits; 1: none"),
        option_float("presence-penalty", "X", &generation->presence_penalty, -100, 100,
                     "take X off the logits of recent tokens"),
        option_float("frequency-penalty", "X", &generation->frequency_penalty, -100, 100,
                     "and this, as often as they have come"),
        option_count("repeat-last-n", "N", &last,
                     "recent are the last N tokens, the prompt's too; 0: none, -1: all"),
        option_biases("logit-bias", &biases,
                      "add X to a token's logit, -inf forbids it; may be given several times"),
        option_uint64("seed", "S", &generation->seed,
                      "of the random choices (default: a fresh one, which is printed)"),
        option_texts("stop", "TEXT", &stops, "end before this text; may be given several times"),
        option_uint32("logprobs", "N", &told, 1, LLM_LOGPROBS_MOST,
                      "print ln p of each token, and of the N likeliest in its place"),
        option_no_special(&no_special),
        option_flag("ignore-eos", &generation->ignore_end, "go on after the end-of-text token"),
        option_flag("profile", &pipeline.profile, "time every kernel"),
    };
    int status;
    if (!options_parse(arguments, options, COUNT(options), &pipeline, &status)) return status;
    if (generation->top_p == 0) generation->temperature = 0;
    choose_window(generation, last);
    generation->logit_bias = biases.list;
    generation->logit_bias_count = biases.count;
    generation->stops = stops.texts;
    generation->stop_count = stops.count;
    generation->logprobs = told;
    if (told) generation->on_logprobs = keep_logprobs;

    LLMError error = {0};
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
    free(bytes.data);
    status = exit_status(&error);
    return status == EXIT_SUCCESS && interrupted ? EXIT_INTERRUPTED : status;
}
