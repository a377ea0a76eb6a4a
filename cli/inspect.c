/* inspect.c — `metal-llm inspect`: what happens inside the model while it reads a text. */
#include "inspect.h"
#include "input.h"
#include "model.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 3, WRITTEN = 10 }; /* of the likeliest: in the terminal and to files */

typedef struct Asked {
    const char *path, *head;
    uint32_t token;
    OptionTexts heads_off, mlps_off;
    bool lens, kernels, no_special;
    LLMHead head_list[OPTION_TEXTS_MOST];
    uint32_t mlp_list[OPTION_TEXTS_MOST];
} Asked;

/* --- options --- */

static bool ends_with(const char *text, const char *end) {
    size_t size = strlen(text), end_size = strlen(end);
    return size > end_size && !strcmp(text + size - end_size, end);
}

/* "L" or "L.H" */
static bool read_numbers(const char *text, uint32_t *numbers, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *end;
        if (*text < '0' || *text > '9') return false;
        unsigned long long number = strtoull(text, &end, 10);
        if (number > UINT32_MAX || *end != (i + 1 < count ? '.' : 0)) return false;
        numbers[i] = (uint32_t)number;
        text = end + 1;
    }
    return true;
}

static bool read_head(const char *text, LLMHead *head) {
    uint32_t numbers[2];
    if (!read_numbers(text, numbers, 2)) return false;
    *head = (LLMHead){numbers[0], numbers[1]};
    return true;
}

/* EXIT_SUCCESS, or that of a mistake that has been reported. */
static int read_options(Asked *asked, const Verb *verb, Seen *seen) {
    const char *path = asked->path;
    if (path && !ends_with(path, ".npz") && !ends_with(path, ".html"))
        return usage_error(verb, "-o %s: the name of the file has to end in .npz or .html", path);
    if (path && asked->kernels)
        return usage_error(verb, "--kernels are printed: leave out -o, or --kernels");
    if (asked->head && !read_head(asked->head, &seen->in.head))
        return usage_error(verb, "--head %s: a layer and a head are wanted, as 3.5", asked->head);
    for (size_t i = 0; i < asked->heads_off.count; i++)
        if (!read_head(asked->heads_off.texts[i], &asked->head_list[i]))
            return usage_error(verb, "--head-off %s: a layer and a head are wanted, as 3.5",
                               asked->heads_off.texts[i]);
    for (size_t i = 0; i < asked->mlps_off.count; i++)
        if (!read_numbers(asked->mlps_off.texts[i], &asked->mlp_list[i], 1))
            return usage_error(verb, "--mlp-off %s: the number of a layer is wanted",
                               asked->mlps_off.texts[i]);
    return EXIT_SUCCESS;
}

/* --- seeing --- */

/* To a file go all tokens' rows, unless one was asked for. */
static void choose_arrays(Seen *seen, const Asked *asked) {
    LLMInspection *in = &seen->in;
    bool all = asked->path && asked->token == UINT32_MAX;
    in->token = all ? 0 : asked->token;
    in->token_count = all ? (uint32_t)seen->tokens.count : 1;
    in->top_count = asked->path ? WRITTEN : SHOWN;
    in->heads_off = asked->head_list;
    in->heads_off_count = asked->heads_off.count;
    in->mlps_off = asked->mlp_list;
    in->mlps_off_count = asked->mlps_off.count;
    seen->has_head = asked->head;
    seen->has_lens = asked->lens || asked->path;
    in->lens_count = asked->path ? WRITTEN : 1;
    if (in->token == UINT32_MAX) in->token = (uint32_t)seen->tokens.count - 1;
}

static void *array(size_t count, size_t size, LLMError *error) {
    void *memory = error_is_set(error) ? NULL : calloc(count, size);
    if (!memory) error_memory(error, count * size);
    return memory;
}

static void look(Seen *seen, LLMError *error) {
    LLMInspection *in = &seen->in;
    const LLMInfo *info = llm_info(seen->llm);
    size_t n = seen->tokens.count, heads = (size_t)info->layers * info->heads;
    if (info->vocabulary < in->top_count) in->top_count = info->vocabulary;
    if (info->vocabulary < in->lens_count) in->lens_count = info->vocabulary;
    in->logprobs = array(n, sizeof *in->logprobs, error);
    in->top = array(n * in->top_count, sizeof *in->top, error);
    in->attention = array(heads * in->token_count * n, sizeof *in->attention, error);
    if (seen->has_lens)
        in->lens = array(info->layers * n * in->lens_count, sizeof *in->lens, error);
    if (seen->has_head) in->head_attention = array(n * n, sizeof *in->head_attention, error);
    llm_inspect(seen->llm, &seen->tokens, in, error);
}

void seen_free(Seen *seen) {
    free(seen->in.logprobs);
    free(seen->in.log_sums);
    free(seen->in.top);
    free(seen->in.attention);
    free(seen->in.lens);
    free(seen->in.head_attention);
    llm_tokens_free(&seen->tokens);
}

static void encode(Seen *seen, const Bytes *text, bool no_special, LLMError *error) {
    seen->tokens =
        llm_encode_bytes(seen->llm, text->data, text->size, no_special ? LLM_PLAIN_TEXT : 0, error);
    size_t n = seen->tokens.count, context = error_is_set(error) ? n : llm_info(seen->llm)->context;
    if (n == 0) error_set(error, LLM_ERROR_ARGUMENT, "the text is empty: there is nothing to see");
    if (n > context)
        error_set(error, LLM_ERROR_CONTEXT,
                  "the text has %zu tokens, more than the context of %zu; use a shorter one", n,
                  context);
}

static void measure(Seen *seen, LLMError *error) {
    LLMPlan *plan = llm_measure(seen->llm, &seen->tokens, error);
    if (plan) print_kernels(plan, seen->tokens.count);
    llm_plan_free(plan);
}

static int inspect(Seen *seen, const Arguments *arguments, const Asked *asked, const char *argument,
                   const LLMOptions *pipeline, LLMError *error) {
    bool is_given = argument && strcmp(argument, "-");
    Bytes text = is_given ? copy_bytes(argument, error) : read_bytes("-", error);
    seen->llm = model_open(arguments->model, pipeline, error);
    encode(seen, &text, asked->no_special, error);
    free(text.data);
    if (!error_is_set(error)) choose_arrays(seen, asked);
    if (!error_is_set(error)) look(seen, error);
    if (error_is_set(error)) return exit_status(error);
    if (!asked->path) print_seen(seen);
    if (asked->kernels) measure(seen, error);
    if (asked->path && ends_with(asked->path, ".npz")) write_npz(seen, asked->path, error);
    if (asked->path && ends_with(asked->path, ".html")) write_html(seen, asked->path, error);
    return exit_status(error);
}

int verb_inspect(Arguments *arguments) {
    static Asked asked = {.token = UINT32_MAX};
    LLMOptions pipeline = LLM_OPTIONS;
    const Option options[] = {
        option_text("o", "FILE", &asked.path, "write .npz for numpy, or .html, a page by itself"),
        option_uint32("token", "N", &asked.token, 0, UINT32_MAX,
                      "the token whose attention is wanted, counted from 0"),
        option_text("head", "L.H", &asked.head, "one head whole: layer and head, from 0"),
        option_flag("lens", &asked.lens, "what each layer would say, token by token"),
        option_flag("kernels", &asked.kernels, "what the kernels of the next token take here"),
        option_texts("head-off", "L.H", &asked.heads_off,
                     "switch a head off; may be given several times"),
        option_texts("mlp-off", "L", &asked.mlps_off,
                     "switch a layer's MLP off; may be given several times"),
        option_no_special(&asked.no_special),
    };
    int status;
    if (!options_parse(arguments, options, COUNT(options), &pipeline, &status)) return status;
    Seen seen = {.in = LLM_INSPECTION};
    LLMError error = {0};
    const char *text = text_argument(arguments, &error);
    status = read_options(&asked, arguments->verb, &seen);
    if (status == EXIT_SUCCESS)
        status = error_is_set(&error) ? exit_status(&error)
                                      : inspect(&seen, arguments, &asked, text, &pipeline, &error);
    seen_free(&seen);
    llm_pipeline_close(seen.llm);
    return status;
}
