/* bench.c — tokens per second of prefill and decode, on the path that `run` takes. */
#include "machine.h"
#include "model.h"
#include "options.h"
#include "print.h"
#include "profile.h"
#include "tokens.h"
#include "units.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPETITIONS_MOST = 1000 };

typedef struct Measure {
    uint32_t tokens;                /* per row and repetition */
    uint32_t count;                 /* repetitions */
    double rates[REPETITIONS_MOST]; /* tokens per second, all rows together; ascending at the end */
} Measure;

typedef struct Bench {
    LLMPipeline *llm;
    uint32_t rows;
    LLMTokens *tokens; /* [rows] */
    Measure prefill, decode;
    uint32_t depth;    /* tokens of the prompt before the decoding */
    float temperature; /* 0: greedy */
    uint64_t checksum; /* of every token of the decoding, the same in each repetition */
    double bandwidth;  /* the memory's, bytes per second; 0: not measured */
    double matmul;     /* FLOP per second; 0: not measured */
} Bench;

/* One call of llm_generate_batch. */
typedef struct Lap {
    uint32_t rows;
    double start, first, last; /* moments: the call, the first and the last token of all rows */
    uint64_t checksum;
} Lap;

/* --- measuring --- */

/* FNV-1a over ids. */
static uint64_t hash_token(uint64_t hash, uint32_t token) {
    for (int shift = 0; shift < 32; shift += 8)
        hash = (hash ^ (token >> shift & 255)) * 0x100000001b3;
    return hash;
}

static bool note_token(void *user, uint32_t row, uint32_t token) {
    Lap *pass = user;
    pass->checksum = hash_token(pass->checksum, token);
    if (row + 1 < pass->rows) return true;
    pass->last = clock_seconds();
    if (pass->first == 0) pass->first = pass->last;
    return true;
}

/* Random ids, the same in every run (SplitMix64). */
static void fill_prompts(Bench *bench, uint32_t count, LLMError *error) {
    uint64_t state = 1;
    for (uint32_t b = 0; b < bench->rows; b++) {
        bench->tokens[b].count = 0;
        for (uint32_t t = 0; t < count; t++) {
            uint64_t z = state += 0x9e3779b97f4a7c15;
            z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
            z = (z ^ z >> 27) * 0x94d049bb133111eb;
            tokens_append(&bench->tokens[b], (z ^ z >> 31) % llm_info(bench->llm)->vocabulary,
                          error);
        }
    }
}

/* A prompt of random tokens, and `count` tokens after it. */
static Lap run_pass(Bench *bench, uint32_t prompt, uint32_t count, LLMError *error) {
    fill_prompts(bench, prompt, error);
    Lap pass = {.rows = bench->rows, .start = clock_seconds(), .checksum = 0xcbf29ce484222325};
    LLMGeneration generation = {.size = sizeof generation,
                                .temperature = bench->temperature,
                                .top_k = 40,
                                .top_p = 0.95f,
                                .seed = 1,
                                .on_token = note_token,
                                .user = &pass,
                                .ignore_end = true};
    llm_generate_batch(bench->llm, bench->tokens, bench->rows, count, &generation, error);
    return pass;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void add_rate(Measure *measure, double tokens, double seconds) {
    measure->rates[measure->count++] = tokens / seconds;
}

static double median(const Measure *measure) {
    return (measure->rates[(measure->count - 1) / 2] + measure->rates[measure->count / 2]) / 2;
}

static bool check_repeats(Bench *bench, uint64_t checksum, LLMError *error) {
    if (bench->decode.count == 0) bench->checksum = checksum;
    if (error_is_set(error) || bench->checksum == checksum) return true;
    return error_set(error, LLM_ERROR_DEVICE,
                     "two repetitions gave different tokens (checksums %016" PRIx64
                     " and %016" PRIx64 "); the device computes wrongly",
                     bench->checksum, checksum);
}

static void measure(Bench *bench, uint32_t repetitions, LLMError *error) {
    double rows = bench->rows;
    run_pass(bench, bench->prefill.tokens, 2, error); /* warms up */
    llm_timings_reset(bench->llm);
    for (uint32_t i = 0; i < repetitions && !error_is_set(error); i++) {
        Lap prefill = run_pass(bench, bench->prefill.tokens, 1, error);
        add_rate(&bench->prefill, rows * bench->prefill.tokens, prefill.first - prefill.start);
        Lap decode = run_pass(bench, bench->depth, bench->decode.tokens + 1, error);
        check_repeats(bench, decode.checksum, error);
        add_rate(&bench->decode, rows * bench->decode.tokens, decode.last - decode.first);
    }
    qsort(bench->prefill.rates, bench->prefill.count, sizeof(double), ascending);
    qsort(bench->decode.rates, bench->decode.count, sizeof(double), ascending);
}

/* --- what a token costs --- */

/* Bytes per token of the decoding: a row's share of the weights, and its keys and values, of which
 * there are 2 at the first step and tokens + 1 at the last. */
static double decode_bytes(const Bench *bench) {
    const LLMInfo *info = llm_info(bench->llm);
    double per_position = (double)info->cache_bytes / bench->rows / info->context;
    double positions = (bench->decode.tokens + 3) / 2.0;
    return (double)info->step_bytes / bench->rows + per_position * positions;
}

/* FLOP per token of the prefill, counted as if every layer computed every token: the layers'
 * matrices, causal attention, and one row of logits. */
static double prefill_flop(const Bench *bench) {
    const LLMInfo *info = llm_info(bench->llm);
    double T = bench->prefill.tokens, attended = (double)info->heads * info->head_size;
    double attention = 4 * attended * (T + 1) / 2;
    double output = 2.0 * info->channels * info->vocabulary;
    return 2 * (double)info->layer_weights + info->layers * attention + output / T;
}

/* --- results --- */

static void print_measure(const char *name, const Measure *measure, const char *speed, double peak,
                          double share) {
    printf("%-8s %6u %10s %10s %10s %12s %14s", name, measure->tokens,
           number_text(median(measure)).text, number_text(measure->rates[0]).text,
           number_text(measure->rates[measure->count - 1]).text,
           duration_text(1 / median(measure)).text, speed);
    if (peak > 0) printf(" %5.1f%%", 100 * share);
    putchar('\n');
}

static void print_table(const Bench *bench) {
    const LLMInfo *info = llm_info(bench->llm);
    double flops = prefill_flop(bench) * median(&bench->prefill);
    double bytes = decode_bytes(bench) * median(&bench->decode);
    fputs("model    ", stdout);
    print_name(stdout, *info->name ? info->name : info->format);
    printf(", %s, %s parameters, %s of weights\n", info->weights,
           scaled_text((double)info->parameters, "").text,
           scaled_text((double)info->weight_bytes, "B").text);
    if (bench->rows > 1) printf("batch    %u rows\n", bench->rows);
    if (bench->matmul > 0)
        printf("peak     matrix product %s, memory read %s\n",
               scaled_text(bench->matmul, "FLOP/s").text,
               scaled_text(bench->bandwidth, "B/s").text);
    printf("\n%-8s %6s %10s %10s %10s %12s %14s%s\n", "test", "tokens", "tokens/s", "slowest",
           "fastest", "per token", "", bench->matmul > 0 ? "   peak" : "");
    print_measure("prefill", &bench->prefill, scaled_text(flops, "FLOP/s").text, bench->matmul,
                  flops / bench->matmul);
    print_measure("decode", &bench->decode, scaled_text(bytes, "B/s").text, bench->bandwidth,
                  bytes / bench->bandwidth);
    printf("\nchecksum %016" PRIx64 " of the decoded tokens, median of %u repetitions\n",
           bench->checksum, bench->decode.count);
}

/* cJSON leaves out what there is no memory for. */
static bool json_incomplete;

static void *json_allocate(size_t bytes) {
    void *memory = malloc(bytes);
    if (!memory) json_incomplete = true;
    return memory;
}

static cJSON *measure_json(cJSON *parent, const char *name, const Measure *measure) {
    cJSON *json = cJSON_AddObjectToObject(parent, name);
    cJSON_AddNumberToObject(json, "tokens", measure->tokens);
    cJSON_AddNumberToObject(json, "tokens_per_second", median(measure));
    cJSON_AddNumberToObject(json, "slowest", measure->rates[0]);
    cJSON_AddNumberToObject(json, "fastest", measure->rates[measure->count - 1]);
    cJSON_AddNumberToObject(json, "ms_per_token", 1000 / median(measure));
    return json;
}

static void print_json(const Bench *bench, LLMError *error) {
    const LLMInfo *info = llm_info(bench->llm);
    char checksum[17];
    cJSON_InitHooks(&(cJSON_Hooks){json_allocate, free});
    snprintf(checksum, sizeof checksum, "%016" PRIx64, bench->checksum);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "version", llm_version());
    cJSON_AddStringToObject(json, "name", info->name);
    cJSON_AddStringToObject(json, "format", info->format);
    cJSON_AddStringToObject(json, "weights", info->weights);
    cJSON_AddNumberToObject(json, "parameters", (double)info->parameters);
    cJSON_AddNumberToObject(json, "weight_bytes", (double)info->weight_bytes);
    cJSON_AddStringToObject(json, "device", info->device);
    cJSON_AddNumberToObject(json, "batch", bench->rows);
    cJSON_AddNumberToObject(json, "repetitions", bench->decode.count);
    cJSON *prefill = measure_json(json, "prefill", &bench->prefill);
    cJSON_AddNumberToObject(prefill, "flop_per_second",
                            prefill_flop(bench) * median(&bench->prefill));
    cJSON *decode = measure_json(json, "decode", &bench->decode);
    cJSON_AddNumberToObject(decode, "bytes_per_second",
                            decode_bytes(bench) * median(&bench->decode));
    cJSON_AddStringToObject(json, "checksum", checksum);
    if (bench->matmul > 0) {
        cJSON *peak = cJSON_AddObjectToObject(json, "peak");
        cJSON_AddNumberToObject(peak, "matmul_flop_per_second", bench->matmul);
        cJSON_AddNumberToObject(peak, "memory_bytes_per_second", bench->bandwidth);
    }
    char *text = cJSON_Print(json);
    if (text && !json_incomplete)
        puts(text);
    else
        error_memory(error, sizeof *json);
    cJSON_free(text);
    cJSON_Delete(json);
}

/* --- the verb --- */

/* Lengths that were not asked for shrink to what the context holds. */
static bool fit_context(Bench *bench, LLMError *error) {
    uint32_t context = llm_info(bench->llm)->context;
    uint32_t *prefill = &bench->prefill.tokens, *decode = &bench->decode.tokens;
    uint32_t depth = bench->depth;
    if (context < 3)
        return error_set(error, LLM_ERROR_CONTEXT,
                         "a context of %u token%s leaves nothing to measure", context,
                         plural(context));
    if (!*prefill) *prefill = context > 512 ? 512 : context - 1;
    if (depth > context - 2)
        return error_set(error, LLM_ERROR_CONTEXT,
                         "a depth of %u tokens leaves nothing to decode in a context of %u", depth,
                         context);
    if (!*decode) *decode = context - 1 - depth > 128 ? 128 : context - 1 - depth;
    if (*prefill > context - 1)
        return error_set(error, LLM_ERROR_CONTEXT,
                         "a prompt of %u tokens and one more exceed the context of %u; use -p %u",
                         *prefill, context, context - 1);
    if (*decode > context - 1 - depth)
        return error_set(error, LLM_ERROR_CONTEXT,
                         "%u tokens and %u more exceed the context of %u; use -n %u", depth + 1,
                         *decode, context, context - 1 - depth);
    return true;
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
    static Bench bench = {.depth = 1, .temperature = 0.8f};
    uint32_t repetitions = 5;
    bool json = false;
    const char *shape = NULL, *type = "f16";
    LLMOptions pipeline = LLM_OPTIONS;
    pipeline.batch = 1;
    const Option options[] = {
        option_uint32("p", "N", &bench.prefill.tokens, 1, 1 << 24,
                      "tokens of the prompt (default 512, or what the context holds)"),
        option_uint32("n", "N", &bench.decode.tokens, 1, 1 << 24,
                      "tokens to decode (default 128, or what the context holds)"),
        option_uint32("depth", "N", &bench.depth, 1, 1 << 24,
                      "tokens of the prompt before the decoding"),
        option_float("temp", "T", &bench.temperature, 0, 1e4,
                     "temperature; 0 takes the likeliest token"),
        option_uint32("r", "N", &repetitions, 1, REPETITIONS_MOST, "repetitions"),
        option_uint32("batch", "B", &pipeline.batch, 1, 1024, "texts side by side"),
        option_text("shape", "NAME", &shape,
                    "a model without a file: smollm2, qwen3-0.6b, llama-1b, llama-8b, llama-70b"),
        option_text("type", "T", &type,
                    "of its random weights: f16, q8_0, q4_K_M … (default: f16)"),
        option_flag("json", &json, "print the results as JSON"),
        option_flag("profile", &pipeline.profile, "time every kernel"),
    };
    int status;
    if (!options_parse(arguments, options, COUNT(options), &pipeline, &status)) return status;

    LLMError error = {0};
    bench.rows = pipeline.batch;
    bench.llm = shape ? model_open_shape(shape, type, &pipeline, &error)
                      : model_open(arguments->model, &pipeline, &error);
    bench.tokens = calloc(bench.rows, sizeof *bench.tokens);
    if (!bench.tokens) error_memory(&error, bench.rows * sizeof *bench.tokens);
    if (!error_is_set(&error) && fit_context(&bench, &error)) measure(&bench, repetitions, &error);
    measure_machine(&bench, &pipeline, &error);
    if (!error_is_set(&error)) {
        if (json)
            print_json(&bench, &error);
        else
            print_table(&bench);
        if (pipeline.profile) print_profile(bench.llm);
    }
    free_bench(&bench);
    return exit_status(&error);
}
