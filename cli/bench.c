/* bench.c — tokens per second of prefill and decode, on the path that `run` takes. */
#include "bench.h"
#include "machine.h"
#include "model.h"
#include "print.h"
#include "profile.h"

#include <stdlib.h>
#include <string.h>

/* Lengths that were not asked for shrink to what the context holds. */
static bool fit_prefill(const Bench *bench, Measure *prefill, LLMError *error) {
    uint32_t context = llm_info(bench->llm)->context;
    if (context < 3)
        return error_set(error, LLM_ERROR_CONTEXT,
                         "a context of %u token%s leaves nothing to measure", context,
                         plural(context));
    if (!prefill->tokens) prefill->tokens = context > 512 ? 512 : context - 1;
    if (prefill->tokens > context - 1)
        return error_set(error, LLM_ERROR_CONTEXT,
                         "a prompt of %u tokens and one more exceed the context of %u; use -p %u",
                         prefill->tokens, context, context - 1);
    return true;
}

static bool fit_decode(const Bench *bench, Measure *decode, LLMError *error) {
    uint32_t context = llm_info(bench->llm)->context, depth = decode->depth;
    if (depth > context - 2)
        return error_set(error, LLM_ERROR_CONTEXT,
                         "a depth of %u tokens leaves nothing to decode in a context of %u", depth,
                         context);
    if (!decode->tokens) decode->tokens = context - 1 - depth > 128 ? 128 : context - 1 - depth;
    if (decode->tokens > context - 1 - depth)
        return error_set(error, LLM_ERROR_CONTEXT,
                         "%u tokens and %u more exceed the context of %u; use -n %u", depth + 1,
                         decode->tokens, context, context - 1 - depth);
    return true;
}

static bool fit_context(Bench *bench, LLMError *error) {
    bool fits = fit_prefill(bench, &bench->measures[0], error);
    for (size_t i = 1; fits && i < bench->count; i++)
        fits = fit_decode(bench, &bench->measures[i], error);
    return fits;
}

static void measure_machine(Bench *bench, const LLMOptions *options, LLMError *error) {
    if (error_is_set(error) || strncmp(llm_info(bench->llm)->device, "cpu", 3)) return;
    bench->bandwidth = memory_bandwidth(options->threads, error);
    bench->matmul = matmul_speed("cpu", options->threads, error);
}

static void free_bench(Bench *bench) {
    for (uint32_t b = 0; bench->tokens && b < bench->rows; b++)
        llm_tokens_free(&bench->tokens[b]);
    free(bench->tokens);
    llm_pipeline_close(bench->llm);
}

int verb_bench(Arguments *arguments) {
    static Bench bench = {.temperature = 0.8f};
    static OptionNumbers depths = {{1}, 1};
    uint32_t prefill = 0, decode = 0, turns = 5;
    bool json = false;
    const char *shape = NULL, *type = "f16";
    LLMOptions pipeline = LLM_OPTIONS;
    pipeline.batch = 1;
    const Option options[] = {
        option_uint32("p", "N", &prefill, 1, 1 << 24,
                      "tokens of the prompt (default 512, or what the context holds)"),
        option_uint32("n", "N", &decode, 1, 1 << 24,
                      "tokens to decode (default 128, or what the context holds)"),
        option_numbers("depth", "N,N…", &depths, 1, 1 << 24,
                       "tokens of the prompt before the decoding: a row for each (default 1)"),
        option_float("temp", "T", &bench.temperature, 0, 1e4,
                     "temperature; 0 takes the likeliest token"),
        option_uint32("r", "N", &turns, 1, TURNS_MOST, "repetitions"),
        option_text("against", "COMMAND", &bench.against,
                    "run in turn: prints llama-bench's JSON, or ours"),
        option_uint32("batch", "B", &pipeline.batch, 1, 1024, "texts in one batch"),
        option_shape(&shape),
        option_shape_type(&type),
        option_flag("json", &json, "print the results as JSON"),
        option_flag("profile", &pipeline.profile, "time every kernel"),
    };
    int status;
    if (!options_parse(arguments, options, COUNT(options), &pipeline, &status)) return status;

    LLMError error = {0};
    bench.measures[bench.count++].tokens = prefill;
    for (size_t i = 0; i < depths.count; i++)
        bench.measures[bench.count++] = (Measure){.depth = depths.list[i], .tokens = decode};
    bench.rows = pipeline.batch;
    bench.llm = shape ? model_open_shape(shape, type, &pipeline, &error)
                      : model_open(arguments->model, &pipeline, &error);
    bench.tokens = calloc(bench.rows, sizeof *bench.tokens);
    if (!bench.tokens) error_memory(&error, bench.rows * sizeof *bench.tokens);
    if (!error_is_set(&error) && fit_context(&bench, &error)) bench_measure(&bench, turns, &error);
    measure_machine(&bench, &pipeline, &error);
    if (!error_is_set(&error)) {
        if (json)
            bench_print_json(&bench, &error);
        else
            bench_print_table(&bench);
        if (pipeline.profile) print_profile(bench.llm);
    }
    free_bench(&bench);
    return exit_status(&error);
}
