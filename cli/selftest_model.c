/* selftest_model.c — the bundled model on every path that a text takes, and the texts that it must
 * write. */
#include "selftest.h"
#include "selftest_launches.h"
#include "tokens.h"
#include "units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One way through the program, and how it is tried. */
typedef struct Path {
    const char *name;
    void (*test)(SelfTest *test, const struct Path *path);
    LLMChoice attention, fusion, cache, weights;
    uint32_t rows; /* texts in the batch */
} Path;

static LLMPipeline *open_path(const SelfTest *test, const Path *path, LLMChoice device,
                              LLMError *error) {
    LLMOptions options = LLM_OPTIONS;
    options.device = device;
    options.attention = path->attention;
    options.fusion = path->fusion;
    options.cache = path->cache;
    options.weights = path->weights;
    options.integer_products = LLM_OFF;
    options.batch = path->rows;
    if (device == test->choice) options.kernels = test->kernels;
    return llm_pipeline_open(test->model, &options, error);
}

/* --- texts --- */

/* Continue the known prompts, from `first` on; tokens[rows] become prompt and continuation. */
static void continue_prompts(LLMPipeline *llm, const SelfTest *test, uint32_t rows,
                             const LLMGeneration *generation, LLMTokens *tokens, LLMError *error) {
    for (uint32_t r = 0; r < rows; r++)
        tokens[r] = llm_encode(llm, selftest_texts[r].prompt, 0, error);
    llm_generate_batch(llm, tokens, rows, test->tokens, generation, error);
}

/* False and `error`, with what was written instead, if a text is not the known one. */
static bool check_text(LLMPipeline *llm, const LLMTokens *tokens, const KnownText *known,
                       LLMError *error) {
    char *text = llm_decode(llm, tokens, error);
    if (!text) return false;
    size_t prompt = strlen(known->prompt), size = strlen(text), same = prompt;
    while (same < size && text[same] == known->text[same - prompt])
        same++;
    if (same < size || size <= prompt)
        error_set(error, LLM_ERROR_DEVICE, "another text after %zu characters: \"%.40s\"",
                  same - prompt, text + (same < prompt ? 0 : same));
    llm_free(text);
    return !error_is_set(error);
}

static void test_texts(SelfTest *test, const Path *path) {
    enum { MOST = 8 };
    LLMError error = {0};
    LLMTokens tokens[MOST] = {0};
    double start = clock_seconds();
    LLMPipeline *llm = open_path(test, path, test->choice, &error);
    double opened = clock_seconds();
    continue_prompts(llm, test, path->rows, NULL, tokens, &error);
    double end = clock_seconds();
    for (uint32_t r = 0; r < path->rows && !error_is_set(&error); r++)
        check_text(llm, &tokens[r], &selftest_texts[r], &error);
    if (error_is_set(&error))
        report_row(&test->report, false, path->name, "%s", error.message);
    else
        report_row(&test->report, true, path->name, "the known text; opened in %s, %.0f tokens/s",
                   duration_text(opened - start).text, path->rows * test->tokens / (end - opened));
    for (uint32_t r = 0; r < path->rows; r++)
        llm_tokens_free(&tokens[r]);
    llm_pipeline_close(llm);
}

/* --- against the CPU --- */

/* ‖a − b‖ / ‖b‖ of two vectors, and NaN if one has it. */
static double distance(const float *a, const float *b, size_t count) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return sqrt(error / norm);
}

/* The surprise in nats of each token of the longest known prompt and its text; freed by the
 * caller. */
static float *losses_of(const SelfTest *test, const Path *path, LLMChoice device, size_t *count,
                        LLMError *error) {
    LLMPipeline *llm = open_path(test, path, device, error);
    LLMTokens tokens = llm_encode(llm, selftest_texts[3].text, 0, error);
    if (tokens.count > 4 * test->tokens) tokens.count = 4 * test->tokens;
    float *losses = tokens.count ? malloc(tokens.count * sizeof *losses) : NULL;
    llm_losses(llm, &tokens, losses, error);
    *count = tokens.count ? tokens.count - 1 : 0;
    llm_tokens_free(&tokens);
    llm_pipeline_close(llm);
    return losses;
}

static void test_prompt(SelfTest *test, const Path *path) {
    LLMError error = {0};
    double most = path->weights == LLM_F16 ? 1e-2 : 1e-4;
    size_t count = 0, same = 0;
    float *actual = losses_of(test, path, test->choice, &count, &error);
    float *expected = losses_of(test, path, LLM_CPU, &same, &error);
    double error_size = error_is_set(&error) ? NAN : distance(actual, expected, count);
    if (error_is_set(&error))
        report_row(&test->report, false, path->name, "%s", error.message);
    else
        report_row(&test->report, error_size <= most, path->name,
                   "%zu tokens as on the CPU; relative error %.1e, allowed %.0e", count + 1,
                   error_size, most);
    free(actual);
    free(expected);
}

/* Two lists of ids. */
static bool same_tokens(const LLMTokens *a, const LLMTokens *b) {
    return a->count == b->count && !memcmp(a->ids, b->ids, a->count * sizeof *a->ids);
}

/* Random choices are made on the device, of the same numbers everywhere. */
static void test_sampling(SelfTest *test, const Path *path) {
    LLMGeneration generation = LLM_GENERATION;
    generation.temperature = 0.8f;
    generation.top_k = 40;
    generation.top_p = 0.9f;
    generation.seed = test->seed;
    LLMError error = {0};
    LLMTokens tokens[2] = {0};
    const LLMChoice devices[2] = {test->choice, LLM_CPU};
    for (int i = 0; i < 2; i++) {
        LLMPipeline *llm = open_path(test, path, devices[i], &error);
        continue_prompts(llm, test, 1, &generation, &tokens[i], &error);
        llm_pipeline_close(llm);
    }
    if (error_is_set(&error))
        report_row(&test->report, false, path->name, "%s", error.message);
    else
        report_row(&test->report, same_tokens(&tokens[0], &tokens[1]), path->name,
                   "%zu tokens of temperature 0.8, top-k 40, top-p 0.9, seed %llu, against the CPU",
                   tokens[0].count, (unsigned long long)test->seed);
    llm_tokens_free(&tokens[0]);
    llm_tokens_free(&tokens[1]);
}

/* --- all ways --- */

static const Path paths[] = {
    {"prompt", test_prompt, LLM_AUTO, LLM_AUTO, LLM_F32, LLM_STORED, 1},
    {"prompt, weights of halves", test_prompt, LLM_AUTO, LLM_AUTO, LLM_F32, LLM_F16, 1},
    {"decode, a kernel for each idea", test_texts, LLM_AUTO, LLM_OFF, LLM_F32, LLM_STORED, 1},
    {"decode, naive attention", test_texts, LLM_NAIVE, LLM_OFF, LLM_F32, LLM_STORED, 1},
    {"decode, plain attention", test_texts, LLM_PLAIN, LLM_OFF, LLM_F32, LLM_STORED, 1},
    {"decode, cache of halves", test_texts, LLM_AUTO, LLM_AUTO, LLM_F16, LLM_STORED, 1},
    {"decode, weights of halves, fused", test_texts, LLM_AUTO, LLM_ON, LLM_F32, LLM_F16, 1},
    {"decode, weights of halves, not fused", test_texts, LLM_AUTO, LLM_OFF, LLM_F32, LLM_F16, 1},
    {"batch of 5", test_texts, LLM_AUTO, LLM_AUTO, LLM_F32, LLM_STORED, 5},
    {"batch of 5, weights of halves", test_texts, LLM_AUTO, LLM_AUTO, LLM_F32, LLM_F16, 5},
    {"sampling", test_sampling, LLM_AUTO, LLM_AUTO, LLM_F32, LLM_STORED, 1},
};
enum { PATHS = sizeof paths / sizeof *paths };

bool selftest_model_has(const char *row) {
    for (size_t i = 0; i < PATHS; i++)
        if (!strcmp(row, paths[i].name)) return true;
    return false;
}

void selftest_model(SelfTest *test) {
    for (size_t i = 0; i < PATHS; i++)
        if (selftest_wants(test, paths[i].name)) paths[i].test(test, &paths[i]);
}
