/* echo.c — prompts as the beginning of their answers, and how likely the model finds them. */
#include "job.h"
#include "text.h"

#include <stdlib.h>

enum { LOGITS_MOST = 1 << 30 }; /* bytes of those of a prompt */

/* Of all tokens of a prompt; the first has none. */
static bool score_losses(Job *job, const LLMTokens *prompt, TokenLogprobs *places) {
    float *nats = calloc(prompt->count, sizeof *nats);
    if (!nats) return problem_memory(&job->problem);
    llm_losses(job->llm, prompt, nats, &job->error);
    for (size_t i = 1; i < prompt->count; i++)
        places[i] =
            (TokenLogprobs){.token = prompt->ids[i], .known = true, .logprob = -nats[i - 1]};
    free(nats);
    return problem_of_error(&job->problem, &job->error, "prompt");
}

static bool score_logits(Job *job, const LLMTokens *prompt, TokenLogprobs *places) {
    uint32_t V = llm_info(job->llm)->vocabulary;
    if (prompt->count > LOGITS_MOST / sizeof(float) / V)
        return problem_set(&job->problem, 400, "invalid_value", "logprobs",
                           "a prompt of %zu tokens is too long for echo with the likeliest of a "
                           "vocabulary of %u: ask for logprobs 0, or for less than %zu tokens",
                           prompt->count, V, LOGITS_MOST / sizeof(float) / V);
    float *logits = malloc(prompt->count * V * sizeof *logits);
    if (!logits) return problem_memory(&job->problem);
    llm_logits(job->llm, prompt, logits, &job->error);
    for (size_t i = 1; i < prompt->count && !job->error.status; i++)
        places[i] = logprobs_of(logits + (i - 1) * V, V, prompt->ids[i], job->top);
    free(logits);
    return problem_of_error(&job->problem, &job->error, "prompt");
}

static bool score(Job *job, const LLMTokens *prompt, TokenLogprobs *places) {
    places[0] = (TokenLogprobs){.token = prompt->ids[0]};
    if (prompt->count == 1) return true;
    return job->top ? score_logits(job, prompt, places) : score_losses(job, prompt, places);
}

static bool echo_text(Job *job, const LLMTokens *prompt, Answer *answer) {
    size_t size = 0;
    char *text = tokens_text(job->llm, prompt, &size, &job->error);
    bool done = problem_of_error(&job->problem, &job->error, "prompt") &&
                (answer_add_text(answer, text, size) || problem_memory(&job->problem));
    free(text);
    return done;
}

static bool echo_places(Job *job, Answer *answer, const TokenLogprobs *places, size_t count) {
    for (size_t i = 0; i < count; i++) {
        TokenLogprobs *place = answer_add_token(answer);
        if (!place) return problem_memory(&job->problem);
        *place = places[i];
    }
    return true;
}

/* All answers to one prompt. */
static bool echo_prompt(Job *job, size_t index) {
    const LLMTokens *prompt = &job->prompts[index];
    if (!prompt->count) return true;
    size_t wanted = job->logprobs ? prompt->count : 0;
    TokenLogprobs *places = calloc(wanted + 1, sizeof *places);
    if (!places) return problem_memory(&job->problem);
    bool done = !wanted || score(job, prompt, places);
    for (size_t i = index * job->n; done && i < (index + 1) * job->n; i++)
        done = echo_text(job, prompt, &job->answers[i]) &&
               echo_places(job, &job->answers[i], places, wanted);
    free(places);
    return done;
}

bool job_echo(Job *job) {
    for (size_t i = 0; i < job->prompt_count; i++)
        if (!echo_prompt(job, i)) return false;
    return true;
}
