/* perplexity.c — how well a model predicts a text. */
#include "bar.h"
#include "input.h"
#include "model.h"
#include "options.h"
#include "print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Score {
    size_t windows, tokens; /* tokens that were predicted */
    double nats;            /* of all of them */
} Score;

/* Window after window; each predicts all its tokens but the first. */
static Score score_windows(LLMPipeline *llm, const LLMTokens *tokens, float *nats,
                           LLMError *error) {
    Score score = {0};
    size_t context = llm_info(llm)->context;
    Progress progress = progress_begin(tokens->count, "tokens");
    for (size_t first = 0; first + 1 < tokens->count && !error_is_set(error); first += context) {
        size_t rest = tokens->count - first;
        LLMTokens window = {.ids = tokens->ids + first, .count = rest < context ? rest : context};
        llm_losses(llm, &window, nats, error);
        for (size_t i = 0; i + 1 < window.count; i++)
            score.nats += nats[i];
        score.tokens += window.count - 1;
        score.windows++;
        progress_update(&progress, first + window.count);
    }
    progress_end(&progress);
    return score;
}

static bool check_score(const Score *score, const LLMTokens *tokens, LLMError *error) {
    if (error_is_set(error)) return false;
    if (score->tokens == 0)
        return error_set(error, LLM_ERROR_ARGUMENT,
                         "the text has %zu token%s, and no window of at least 2 to predict in",
                         tokens->count, plural(tokens->count));
    return true;
}

static void print_score(const Score *score, size_t tokens, size_t bytes, uint32_t context) {
    double mean = score->nats / (double)score->tokens;
    printf("text        %zu tokens, %zu bytes\n", tokens, bytes);
    printf("windows     %zu of up to %u tokens, without overlap\n", score->windows, context);
    printf("counted     %zu tokens: all but the first of each window\n", score->tokens);
    printf("mean loss   %.6f nats per token\n", mean);
    printf("perplexity  %.4f\n", exp(mean));
    printf("bits/byte   %.6f\n", score->nats / log(2) / (double)bytes);
}

static void measure(LLMPipeline *llm, const Bytes *text, uint32_t flags, LLMError *error) {
    LLMTokens tokens = llm_encode_bytes(llm, text->data, text->size, flags, error);
    if (error_is_set(error)) return;
    uint32_t context = llm_info(llm)->context;
    float *nats = calloc(context, sizeof *nats);
    if (!nats) error_memory(error, context * sizeof *nats);
    Score score = score_windows(llm, &tokens, nats, error);
    if (check_score(&score, &tokens, error)) print_score(&score, tokens.count, text->size, context);
    free(nats);
    llm_tokens_free(&tokens);
}

int verb_perplexity(Arguments *arguments) {
    LLMOptions pipeline = LLM_OPTIONS;
    int status;
    bool no_special = false;
    const Option options[] = {option_no_special(&no_special)};
    if (!options_parse(arguments, options, COUNT(options), &pipeline, &status)) return status;
    if (arguments->count == 0) return usage_error(arguments->verb, "FILE is missing");

    LLMError error = {0};
    Bytes text = read_bytes(arguments->values[0], &error);
    LLMPipeline *llm = model_open(arguments->model, &pipeline, &error);
    measure(llm, &text, no_special ? LLM_PLAIN_TEXT : 0, &error);
    llm_pipeline_close(llm);
    free(text.data);
    return exit_status(&error);
}
