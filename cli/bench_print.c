#include "bench.h"
#include "print.h"
#include "units.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- tables --- */

/* "prefill", "decode", "decode @2048" */
static UnitText name_of(const Measure *measure) {
    UnitText name;
    snprintf(name.text, sizeof name.text, measure->depth ? "decode" : "prefill");
    if (measure->depth > 1) snprintf(name.text, sizeof name.text, "decode @%u", measure->depth);
    return name;
}

static void print_measure(const Bench *bench, const Measure *measure) {
    Spread rates = bench_rates(measure);
    const char *unit = measure->depth ? "B/s" : "FLOP/s";
    printf("%-16s %6u %10s %10s %10s %12s %14s", name_of(measure).text, measure->tokens,
           number_text(rates.median).text, number_text(rates.least).text,
           number_text(rates.most).text, duration_text(1 / rates.median).text,
           scaled_text(bench_speed(bench, measure), unit).text);
    double share = bench_share(bench, measure);
    if (share > 0) printf(" %5.1f%%", 100 * share);
    putchar('\n');
}

static void print_against(const Bench *bench) {
    fputs("\nagainst  ", stdout);
    print_name(stdout, bench->against);
    printf("\n\n%-16s %6s %10s %10s %10s   %s\n", "test", "tokens", "tokens/s", "the peer", "ratio",
           "of each turn");
    for (size_t i = 0; i < bench->count; i++) {
        const Measure *measure = &bench->measures[i];
        Spread ratios = bench_ratios(measure);
        printf("%-16s %6u %10s %10s %10.2f   %.2f to %.2f\n", name_of(measure).text,
               measure->tokens, number_text(bench_rates(measure).median).text,
               number_text(bench_peer_rates(measure).median).text, ratios.median, ratios.least,
               ratios.most);
    }
}

void bench_print_table(const Bench *bench) {
    const LLMInfo *info = llm_info(bench->llm);
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
    printf("\n%-16s %6s %10s %10s %10s %12s %14s%s\n", "test", "tokens", "tokens/s", "slowest",
           "fastest", "per token", "", bench->matmul > 0 ? "   peak" : "");
    for (size_t i = 0; i < bench->count; i++)
        print_measure(bench, &bench->measures[i]);
    if (bench->against) print_against(bench);
    printf("\nchecksum %016" PRIx64 " of the decoded tokens, median of %u repetitions\n",
           bench->checksum, bench->measures[0].count);
}

/* --- JSON --- */

/* cJSON leaves out what there is no memory for. */
static bool json_incomplete;

static void *json_allocate(size_t bytes) {
    void *memory = malloc(bytes);
    if (!memory) json_incomplete = true;
    return memory;
}

static void add_peer(cJSON *json, const Measure *measure) {
    Spread ratios = bench_ratios(measure);
    cJSON_AddNumberToObject(json, "peer_tokens_per_second", bench_peer_rates(measure).median);
    cJSON_AddNumberToObject(json, "ratio", ratios.median);
    cJSON_AddNumberToObject(json, "ratio_least", ratios.least);
    cJSON_AddNumberToObject(json, "ratio_most", ratios.most);
}

static cJSON *measure_json(const Bench *bench, const Measure *measure) {
    cJSON *json = cJSON_CreateObject();
    Spread rates = bench_rates(measure);
    if (measure->depth) cJSON_AddNumberToObject(json, "depth", measure->depth);
    cJSON_AddNumberToObject(json, "tokens", measure->tokens);
    cJSON_AddNumberToObject(json, "tokens_per_second", rates.median);
    cJSON_AddNumberToObject(json, "slowest", rates.least);
    cJSON_AddNumberToObject(json, "fastest", rates.most);
    cJSON_AddNumberToObject(json, "ms_per_token", 1000 / rates.median);
    cJSON_AddNumberToObject(json, measure->depth ? "bytes_per_second" : "flop_per_second",
                            bench_speed(bench, measure));
    if (bench->against) add_peer(json, measure);
    return json;
}

static cJSON *results(const Bench *bench) {
    const LLMInfo *info = llm_info(bench->llm);
    char checksum[17];
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
    cJSON_AddNumberToObject(json, "repetitions", bench->measures[0].count);
    if (bench->against) cJSON_AddStringToObject(json, "against", bench->against);
    cJSON_AddItemToObject(json, "prefill", measure_json(bench, &bench->measures[0]));
    cJSON_AddItemToObject(json, "decode", measure_json(bench, &bench->measures[1]));
    cJSON *deeper = bench->count > 2 ? cJSON_AddArrayToObject(json, "deeper") : NULL;
    for (size_t i = 2; i < bench->count; i++)
        cJSON_AddItemToArray(deeper, measure_json(bench, &bench->measures[i]));
    cJSON_AddStringToObject(json, "checksum", checksum);
    if (bench->matmul > 0) {
        cJSON *peak = cJSON_AddObjectToObject(json, "peak");
        cJSON_AddNumberToObject(peak, "matmul_flop_per_second", bench->matmul);
        cJSON_AddNumberToObject(peak, "memory_bytes_per_second", bench->bandwidth);
    }
    return json;
}

void bench_print_json(const Bench *bench, LLMError *error) {
    cJSON_InitHooks(&(cJSON_Hooks){json_allocate, free});
    cJSON *json = results(bench);
    char *text = cJSON_Print(json);
    if (text && !json_incomplete)
        puts(text);
    else
        error_memory(error, sizeof *json);
    cJSON_free(text);
    cJSON_Delete(json);
}
